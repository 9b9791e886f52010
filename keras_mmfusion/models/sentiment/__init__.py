"""Sentiment analysis of videos: negative or positive utterances."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "SentimentRecipe": "sentiment_recipe",
        "evaluate_sentiment": "sentiment_evaluation",
        "export_sentiment": "sentiment_export",
        "predict_sentiment": "sentiment_evaluation",
        "score_sentiment_recipe": "sentiment_recipe",
        "train_sentiment": "sentiment_recipe",
    },
)
