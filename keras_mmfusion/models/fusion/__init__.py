"""Models that fuse several modalities, for any task."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ConversationModel": "conversation_model",
        "FusionModel": "fusion_model",
        "FusionRecipe": "fusion_recipe",
        "GradientBlendingModel": "gradient_blending_model",
        "TableSchema": "table_schema",
        "estimate_blending_weights": "blending_weights",
        "evaluate_fusion": "fusion_recipe",
        "export_fusion": "fusion_export",
        "infer_schema": "table_schema",
        "train_fusion": "fusion_recipe",
    },
)
