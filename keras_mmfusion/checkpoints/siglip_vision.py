"""The vision encoder of SigLIP as a checkpoint of its own, without the pooling head."""

from keras_mmfusion.checkpoints.key_matching import add_prefix
from keras_mmfusion.checkpoints.siglip import build_image_encoder, list_image_weights

IGNORED = (r"(vision_model\.)?head\..*",)
RENAMES = (add_prefix("vision_model"),)


def build_model(config, assets=None):
    """Builds the `VisionTransformer` of a configuration, with random weights."""
    return build_image_encoder(config)


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    return list_image_weights(model)
