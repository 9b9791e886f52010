import keras_hub

from keras_mmfusion._keras_internals import flatten_layers, has_sublayers

# Entries of the configuration of a layer with adapters.
_SETTINGS = ("lora_rank", "lora_alpha")


def add_low_rank_adapters(encoder, rank):
    """Freezes a built encoder and adds trainable low-rank adapters to its kernels.

    ```
    y = x (W + A B) + b,   A (inputs, rank),  B (rank, outputs), initialized with zeros
    ```

    In a KerasHub backbone, the layers of `Backbone.default_lora_layer_names` (queries and values)
    get adapters; in any other encoder, all layers with `enable_lora`, such as `Dense`,
    `EinsumDense` and `Embedding`.

    Args:
        encoder: built Keras layer or model.
        rank: int.

    Reference:
        Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2022, section 4.1.
    """
    encoder.trainable = True  # Otherwise no weight of its sublayers is trainable.
    parts = [layer for layer in flatten_layers(encoder) if not has_sublayers(layer)]
    adapted = [layer for layer in parts if hasattr(layer, "enable_lora")]
    if isinstance(encoder, keras_hub.models.Backbone):
        names = encoder.default_lora_layer_names()
        adapted = [layer for layer in adapted if layer.name in names]
    for layer in parts:
        layer.trainable = layer in adapted  # Also freezes batch normalization.
    for weight in encoder.weights:
        weight.trainable = False  # Biases included.
    for layer in adapted:
        layer.enable_lora(rank)


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
