"""Pretrained models: factories, and the presets that they load."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "DownloadError": "download",
        "captioner": "factories",
        "embedder": "factories",
        "image_encoder": "factories",
        "language_model": "factories",
        "load_item_features": "movie_encoders",
        "load_preset": "factories",
        "recommender": "factories",
        "resolve_preset": "presets",
        "sentiment": "factories",
        "vqa": "factories",
    },
)
