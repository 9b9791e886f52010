"""The vision encoder of CLIP as a checkpoint of its own, without the projection."""

from keras_mmfusion.checkpoints.clip import build_image_encoder, list_image_weights
from keras_mmfusion.checkpoints.key_matching import add_prefix

IGNORED = (r"visual_projection\..*",)
RENAMES = (add_prefix("vision_model"),)


def build_model(config, assets=None):
    """Builds the `VisionTransformer` of a configuration, with random weights."""
    return build_image_encoder(config)


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    return list_image_weights(model)
