"""Low-rank adaptation (LoRA) of models."""

import keras_hub

from keras_mmfusion._checks import check_integer
from keras_mmfusion._keras_internals import flatten_layers, has_sublayers

# The layers of attention that get adapters, as in KerasHub.
QUERIES_AND_VALUES = ("query", "value", "query_dense", "value_dense")
# Entries of the configuration of a layer with adapters.
_SETTINGS = ("lora_rank", "lora_alpha")


class LowRankAdaptation:
    """Adds `enable_lora` to the task models."""

    def enable_lora(self, rank):
        """Freezes the model and adds trainable low-rank adapters to its attention: LoRA.

        ```
        y = x (W + A B) + b,   A (inputs, rank),  B (rank, outputs), initialized with zeros
        ```

        The projections of the queries and the values get adapters. Parts that are frozen already
        get none: with `model.image_encoder.trainable = False`, only the other parts are adapted,
        which takes much less memory. Compile the model afterwards if it has been trained before.
        Saved files have the adapters merged into the weights, and load as a model without
        adapters.

        Args:
            rank: int. Rank of the adapters.

        Raises:
            ValueError: if the model has not been built, already has adapters, or has no trainable
                part with attention.

        Reference:
            Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2022, section 4.1.
        """
        check_integer(self, "rank", rank)
        check_without_adapters(self)
        parts = [part for part in self.layers if part.trainable and part.weights]
        if not any(_list_adaptable(part, QUERIES_AND_VALUES) for part in parts):
            raise ValueError(
                f"{type(self).__name__} has no trainable part with projections of queries and "
                "values, which get the adapters."
            )
        for part in parts:
            add_low_rank_adapters(part, rank, QUERIES_AND_VALUES)
        self.reset_compiled_functions()


def check_without_adapters(model):
    """Raises an error if a model is not built, or has adapters."""
    if not model.built:
        raise ValueError("Call the model once, to build its weights, before `enable_lora`.")
    if any(getattr(layer, "lora_enabled", False) for layer in flatten_layers(model)):
        raise ValueError("The model already has adapters; saving and loading merges them.")


def add_low_rank_adapters(encoder, rank, names=None):
    """Freezes a built encoder and adds trainable low-rank adapters to its kernels.

    Args:
        encoder: built Keras layer or model.
        rank: int.
        names: names of the layers that get adapters. By default those of
            `Backbone.default_lora_layer_names` (queries and values) in a KerasHub backbone; in any
            other encoder, all layers with `enable_lora`, such as `Dense`, `EinsumDense` and
            `Embedding`.
    """
    encoder.trainable = True  # Otherwise no weight of its sublayers is trainable.
    if names is None and isinstance(encoder, keras_hub.models.Backbone):
        names = encoder.default_lora_layer_names()
    adapted = _list_adaptable(encoder, names)
    for layer in _list_leaves(encoder):
        layer.trainable = layer in adapted  # Also freezes batch normalization.
    for weight in encoder.weights:
        weight.trainable = False  # Biases included.
    for layer in adapted:
        layer.enable_lora(rank)


def _list_leaves(encoder):
    return [layer for layer in flatten_layers(encoder) if not has_sublayers(layer)]


def _list_adaptable(encoder, names):
    layers = [layer for layer in _list_leaves(encoder) if hasattr(layer, "enable_lora")]
    return layers if names is None else [layer for layer in layers if layer.name in names]


def remove_adapters(config):
    """Removes the adapters from a layer's configuration: weights are saved with them merged.

    With the entries, Keras would create adapters that are all zeros and do not train.
    """
    if isinstance(config, dict):
        kept = {key: value for key, value in config.items() if key not in _SETTINGS}
        return {key: remove_adapters(value) for key, value in kept.items()}
    if isinstance(config, list):
        return [remove_adapters(value) for value in config]
    return config
