"""Builders for TensorFlow Datasets; importing a builder registers its name for `tfds.load`."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CmuMosei": "cmu_mosei_builder",
        "Flickr8k": "flickr8k_builder",
        "VisualGenomeQA": "visual_genome_builder",
    },
)
