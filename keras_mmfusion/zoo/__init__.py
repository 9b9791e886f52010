"""The zoo: one factory per task, and the presets that they load."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "DownloadError": "download",
        "captioner": "captioners",
        "embedder": "embedders",
        "image_encoder": "image_encoders",
        "load_item_features": "movie_encoders",
        "recommender": "recommenders",
        "resolve_preset": "presets",
        "sentiment": "sentiment_models",
    },
)
