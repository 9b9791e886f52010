"""Losses: what training minimizes."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "SelfCriticalLoss": "self_critical_loss",
        "SmoothedCrossEntropy": "smoothed_cross_entropy",
    },
)
