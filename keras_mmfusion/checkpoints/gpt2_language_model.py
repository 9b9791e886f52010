"""GPT-2: https://huggingface.co/openai-community/gpt2 and relatives."""

import keras_hub

from keras_mmfusion._keras_internals import flatten_layers
from keras_mmfusion.checkpoints.language_preprocessors import build_language_preprocessor
from keras_mmfusion.checkpoints.layouts import split_columns
from keras_mmfusion.checkpoints.source_weight import SourceWeight
from keras_mmfusion.checkpoints.transformer_layers import list_norm
from keras_mmfusion.models.language.language_models import Gpt2LanguageModel

PREFIXES = ("transformer.",)
TIED = {"lm_head.weight": "wte.weight"}
# Settings that change the formula, and the values that KerasHub's GPT-2 implements.
_FIXED_SETTINGS = {
    "activation_function": "gelu_new",
    "add_cross_attention": False,
    "layer_norm_epsilon": 1e-5,
    "scale_attn_by_inverse_layer_idx": False,
    "scale_attn_weights": True,
    "tie_word_embeddings": True,
}
# Name in a block of the source -> name in a block of KerasHub.
_NORMS = {"ln_1": "self_attention_layer_norm", "ln_2": "feedforward_layer_norm"}
# The same for fully connected layers; the source stores several ones side by side.
_LINEARS = {
    "attn.c_attn": ("query", "key", "value"),
    "attn.c_proj": ("attention_output",),
    "mlp.c_fc": ("feedforward_intermediate_dense",),
    "mlp.c_proj": ("feedforward_output_dense",),
}


def build_model(config, assets=None):
    """Builds the model of a configuration, with random weights.

    Args:
        config: dict. The content of `config.json`.
        assets: `CheckpointAssets`, or `None` for a model without a preprocessor.

    Returns:
        A `Gpt2LanguageModel`.

    Raises:
        ValueError: if KerasHub's GPT-2 does not implement a setting.
    """
    for name, value in _FIXED_SETTINGS.items():
        if config.get(name, value) != value:
            raise ValueError(f"`{name}` of GPT-2 must be {value}. Received: {config[name]!r}")
    dim, words = config.get("n_embd", 768), config.get("vocab_size", 50257)
    length = config.get("n_positions", 1024)
    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=words,
        num_layers=config.get("n_layer", 12),
        num_heads=config.get("n_head", 12),
        hidden_dim=dim,
        intermediate_dim=config.get("n_inner") or 4 * dim,
        dropout=config.get("resid_pdrop", 0.1),
        max_sequence_length=length,
    )
    preprocessor = assets and build_language_preprocessor(assets, words, length)
    return Gpt2LanguageModel(backbone, preprocessor)


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    backbone = model.backbone
    yield SourceWeight("wte.weight", backbone.token_embedding.embeddings)
    yield SourceWeight("wpe.weight", backbone.position_embedding.position_embeddings)
    for index, block in enumerate(backbone.transformer_layers):
        layer, parts = f"h.{index}", {part.name: part for part in flatten_layers(block)}
        for name, norm in _NORMS.items():
            yield from list_norm(f"{layer}.{name}", parts[norm])
        for name, names in _LINEARS.items():
            yield from _list_columns(f"{layer}.{name}", *(parts[each] for each in names))
    yield from list_norm("ln_f", backbone.layer_norm)


def _list_columns(prefix, *layers):
    """Yields the weights of a `Conv1D` that holds the kernels of layers side by side."""
    for index, dense in enumerate(layers):
        split = split_columns(index, len(layers))
        for name, variable in (("weight", dense.kernel), ("bias", dense.bias)):
            yield SourceWeight(f"{prefix}.{name}", variable, _split_into(variable, split))


def _split_into(variable, split):
    """Returns the conversion to a variable that may have axes for heads."""
    shape = tuple(variable.shape)
    return lambda array: split(array).reshape(shape)
