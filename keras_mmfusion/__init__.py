"""Multimodal fusion for Keras 3: layers, task models, pretrained weights, metrics, serving."""

from keras_mmfusion._lazy import lazy_exports
from keras_mmfusion._quiet_tensorflow import quiet_tensorflow

__version__ = "0.1.0"

quiet_tensorflow()

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Captioner": "models",
        "ContrastiveModel": "models",
        "ConversationModel": "models",
        "CrossModalAttention": "layers",
        "FusionBlock": "layers",
        "FusionModel": "models",
        "GCNLayer": "layers.graph",
        "GraphCaptioner": "models",
        "ImageCaptioningModel": "models",
        "ImageEncoder": "encoders",
        "Recommender": "models",
        "TextDecoder": "models",
        "TransformerCaptioner": "models",
        "calibration": "",
        "checkpoints": "",
        "datasets": "",
        "demo": "",
        "encoders": "",
        "explain": "",
        "layers": "",
        "load_model": "models",
        "losses": "",
        "metrics": "",
        "models": "",
        "serving": "",
        "zoo": "",
    },
)
