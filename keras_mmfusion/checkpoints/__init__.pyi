"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint as load_checkpoint
from keras_mmfusion.checkpoints.language_model_loading import load_language_model as load_language_model
