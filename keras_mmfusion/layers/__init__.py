"""Building blocks: one layer per file."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CrossModalAttention": "cross_modal_attention",
        "ModalityDropout": "modality_dropout",
        "fusion": "",
    },
)
