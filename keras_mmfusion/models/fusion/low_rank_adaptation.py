import keras_hub

# Of a layer with adapters, in its configuration.
_SETTINGS = ("lora_rank", "lora_alpha")


def add_low_rank_adapters(encoder, rank):
    """Freezes a built encoder, all but new adapters of low rank beside its kernels.

    ```
    y = x (W + A B) + b,   A (inputs, rank),  B (rank, outputs), zero at first
    ```

    Of a KerasHub backbone those layers get adapters that it names itself
    (`Backbone.default_lora_layer_names`: queries and values); of any other encoder all that have
    `enable_lora`, such as `Dense`, `EinsumDense` and `Embedding`.

    Args:
        encoder: built Keras layer or model.
        rank: int.

    Reference:
        Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2022, section 4.1.
    """
    encoder.trainable = True  # A layer that is frozen as a whole hides what its parts train.
    parts = [layer for layer in encoder._flatten_layers() if not layer._layers]
    adapted = [layer for layer in parts if hasattr(layer, "enable_lora")]
    if isinstance(encoder, keras_hub.models.Backbone):
        names = encoder.default_lora_layer_names()
        adapted = [layer for layer in adapted if layer.name in names]
    for layer in parts:
        layer.trainable = layer in adapted  # So that batch normalization stops, too.
    for weight in encoder.weights:
        weight.trainable = False  # Biases, too.
    for layer in adapted:
        layer.enable_lora(rank)


def without_adapters(config):
    """The configuration of a layer that loads its weights with the adapters merged.

    Keras would make adapters again, but load them as zeros, which never learn.
    """
    if isinstance(config, dict):
        kept = {key: value for key, value in config.items() if key not in _SETTINGS}
        return {key: without_adapters(value) for key, value in kept.items()}
    if isinstance(config, list):
        return [without_adapters(value) for value in config]
    return config
