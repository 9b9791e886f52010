"""Retrieval across modalities: training and search in a shared embedding space."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "BlipMatcher": "blip_matcher",
        "ContrastiveModel": "contrastive_model",
        "RetrievalPreprocessor": "retrieval_preprocessor",
        "RetrievalRecipe": "retrieval_recipe",
        "canonical_projections": "canonical_correlations",
        "evaluate_retrieval": "retrieval_evaluation",
        "export_retrieval": "retrieval_export",
        "train_retrieval": "retrieval_recipe",
    },
)
