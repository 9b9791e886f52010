"""Opinions in videos: whether what is said is negative or positive."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "SentimentRecipe": "sentiment_recipe",
        "cross_validate_sentiment": "sentiment_recipe",
        "evaluate_sentiment": "sentiment_evaluation",
        "predict_sentiment": "sentiment_evaluation",
        "train_sentiment": "sentiment_recipe",
    },
)
