"""Models that fuse several modalities, for any task."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ConversationModel": "conversation_model",
        "FusionModel": "fusion_model",
        "GradientBlendingModel": "gradient_blending_model",
        "estimate_blending_weights": "blending_weights",
        "export_fusion": "fusion_export",
    },
)
