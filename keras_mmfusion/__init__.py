"""Multimodal fusion for Keras 3: layers, task models, pretrained weights, metrics, serving."""

from keras_mmfusion._lazy import lazy_exports

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CrossModalAttention": "layers",
        "FusionBlock": "layers",
        "GCNLayer": "layers.graph",
        "GraphCaptioner": "models",
        "ImageCaptioningModel": "models",
        "ImageEncoder": "encoders",
        "TextDecoder": "models",
        "TransformerCaptioner": "models",
        "datasets": "",
        "encoders": "",
        "explain": "",
        "layers": "",
        "metrics": "",
        "models": "",
        "serving": "",
        "zoo": "",
    },
)
