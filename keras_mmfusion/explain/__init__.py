"""Why a model said what it said: pictures of where it looked."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {"plot_caption_attention": "attention_maps"})
