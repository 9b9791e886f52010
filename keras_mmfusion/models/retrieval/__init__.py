"""Retrieval across modalities: training and search in a shared embedding space."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ContrastiveModel": "contrastive_model",
        "RetrievalPreprocessor": "retrieval_preprocessor",
        "canonical_projections": "canonical_correlations",
    },
)
