"""Caption, sentiment, question-answering and ranking metrics: no Java, no network."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CaptionScores": "keras_caption_scores",
        "CaptionScoresCallback": "keras_caption_scores",
        "CiderD": "cider",
        "Meteor": "meteor",
        "NltkMeteor": "nltk_meteor",
        "PTBTokenizer": "ptb_tokenizer",
        "PlainCider": "cider",
        "bleu_scores": "bleu",
        "cider_d_score": "cider",
        "coco_caption_scores": "caption_scores",
        "read_candidates": "caption_files",
        "read_references": "caption_files",
        "score_files": "caption_files",
        "plain_cider_score": "cider",
        "rouge_l_score": "rouge_l",
    },
)
