"""Encoders, which convert one modality to tokens or a vector."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "AspectRatioImageConverter": "aspect_ratio_image_converter",
        "FeatureGroupEncoder": "feature_group_encoder",
        "ImageEncoder": "image_encoder",
        "PillowImageConverter": "pillow_image_converter",
        "Standardization": "standardization",
        "SwinTransformer": "swin_transformer",
        "TableEncoder": "table_encoder",
        "TextEncoder": "text_encoder",
        "TextTransformer": "text_transformer",
        "TiledImageConverter": "tiled_image_converter",
        "TokenEncoder": "token_encoder",
        "VectorEncoder": "vector_encoder",
        "VideoEncoder": "video_encoder",
        "VisionTransformer": "vision_transformer",
    },
)
