"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.datasets.tfds_builders.cmu_mosei_builder import CmuMosei as CmuMosei
from keras_mmfusion.datasets.tfds_builders.flickr8k_builder import Flickr8k as Flickr8k
from keras_mmfusion.datasets.tfds_builders.visual_genome_builder import VisualGenomeQA as VisualGenomeQA
