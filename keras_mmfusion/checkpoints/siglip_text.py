"""The text encoder of SigLIP as a checkpoint of its own, without the projection."""

from keras_mmfusion.checkpoints.clip import list_text_weights
from keras_mmfusion.checkpoints.key_matching import add_prefix
from keras_mmfusion.checkpoints.siglip import build_text_encoder

IGNORED = (r"(text_model\.)?head\..*",)
RENAMES = (add_prefix("text_model"),)


def build_model(config, assets=None):
    """Builds the `TextTransformer` of a configuration, with random weights."""
    return build_text_encoder(config)


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    return list_text_weights(model)
