"""Public checkpoints in the format of transformers, converted when they are loaded."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "load_checkpoint": "checkpoint_loading",
        "load_language_model": "language_model_loading",
    },
)
