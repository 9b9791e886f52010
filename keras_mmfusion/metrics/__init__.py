"""Caption, sentiment, question-answering and ranking metrics: no Java, no network."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CiderD": "cider",
        "PlainCider": "cider",
        "bleu_scores": "bleu",
        "cider_d_score": "cider",
        "plain_cider_score": "cider",
        "rouge_l_score": "rouge_l",
    },
)
