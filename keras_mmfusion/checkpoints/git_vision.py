"""The vision encoder of GIT as a checkpoint of its own."""

from keras_mmfusion.checkpoints.clip import build_image_encoder
from keras_mmfusion.checkpoints.clip_vision import RENAMES, list_weights
from keras_mmfusion.checkpoints.git import PATCH_SIZE

__all__ = ["RENAMES", "build_model", "list_weights"]


def build_model(config, assets=None):
    """Builds the `VisionTransformer` of a configuration, with random weights."""
    return build_image_encoder({"patch_size": PATCH_SIZE, **config})
