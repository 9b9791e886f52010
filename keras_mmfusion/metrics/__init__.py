"""Caption, sentiment, question-answering and ranking metrics: no Java, no network."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CiderD": "cider",
        "Meteor": "meteor",
        "NltkMeteor": "nltk_meteor",
        "PTBTokenizer": "ptb_tokenizer",
        "PlainCider": "cider",
        "bleu_scores": "bleu",
        "cider_d_score": "cider",
        "coco_caption_scores": "caption_scores",
        "plain_cider_score": "cider",
        "rouge_l_score": "rouge_l",
    },
)
