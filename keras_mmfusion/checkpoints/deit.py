"""DeiT: https://huggingface.co/facebook/deit-base-distilled-patch16-224 and relatives."""

from keras_mmfusion.checkpoints.key_matching import add_prefix
from keras_mmfusion.checkpoints.vit import VIT_RENAMES, build_vit, list_deit_weights

# The encoder is loaded without pooler and classifiers.
IGNORED = (
    r"(deit\.)?pooler\..*",
    r"(cls_|distillation_)?classifier\..*",
    r"(deit\.)?embeddings\.mask_token",
)
RENAMES = (add_prefix("deit"), *((rf"^deit\.{old}", rf"deit.{new}") for old, new in VIT_RENAMES))


def build_model(config, assets=None):
    """Builds the `VisionTransformer` of a configuration, with random weights."""
    return build_vit(config)


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    return list_deit_weights("deit", model)
