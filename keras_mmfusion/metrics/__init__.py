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
        "RecallAtK": "keras_recall_at_k",
        "answer_accuracies": "visual_question_answering",
        "best_ranks": "retrieval",
        "bleu_scores": "bleu",
        "bootstrap_interval": "significance",
        "caption_diversity": "diversity",
        "cider_d_score": "cider",
        "classification_scores": "classification",
        "coco_caption_scores": "caption_scores",
        "ndcg_at_k": "ranking",
        "normalize_answer": "visual_question_answering",
        "object_recall": "diversity",
        "paired_bootstrap_test": "significance",
        "plain_cider_score": "cider",
        "read_candidates": "caption_files",
        "read_references": "caption_files",
        "recall_at_k": "ranking",
        "retrieval_scores": "retrieval",
        "rouge_l_score": "rouge_l",
        "score_files": "caption_files",
        "sentiment_scores": "classification",
        "vqa_accuracy": "visual_question_answering",
    },
)
