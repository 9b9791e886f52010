"""Loads a folder in the format of transformers as a model of this package."""

import contextlib

from keras_mmfusion._keras_internals import skip_random_values
from keras_mmfusion.checkpoints.checkpoint_assets import CheckpointAssets
from keras_mmfusion.checkpoints.converters import CONVERTERS, find_converter
from keras_mmfusion.checkpoints.gguf_assets import GgufAssets, is_gguf


def load_checkpoint(folder, load_weights=True, dtype=None):
    """Loads a checkpoint in the format of transformers, or a language model in a GGUF file.

    Model types that KerasHub converts are loaded as its backbones. Neither transformers nor, for
    safetensors, PyTorch is needed.

    Args:
        folder: string or path of a folder with config.json, `model.safetensors` or its shards (or
            `pytorch_model.bin`), and the files of the tokenizer and the image processor; or of a
            GGUF file, whose name ends with `.gguf`.
        load_weights: bool. Whether to load the weights or initialize them randomly.
        dtype: string or `keras.DTypePolicy`, such as `"bfloat16"` or `"mixed_bfloat16"`; or
            `"int8"`, which quantizes the dense layers after loading. Defaults to float32, or the
            global policy.

    Returns:
        A `keras.Model`. Its `source` is a dict with the name of the checkpoint and, if known, its
        revision and license, which `save_to_preset` stores in metadata.json.

    Raises:
        OSError: if there is no such GGUF file.
        ValueError: if the model type is not supported, a file is damaged, or the weights do not
            match the configuration.

    Example:

    >>> load_checkpoint("no_such_folder")
    Traceback (most recent call last):
    ...
    ValueError: 'no_such_folder' must have config.json.
    """
    assets = GgufAssets(folder) if is_gguf(folder) else CheckpointAssets(folder)
    config = assets.config
    model_type = config.get("model_type")
    if not isinstance(model_type, str):
        raise ValueError(
            f"{str(assets.folder / 'config.json')!r} must have a `model_type`. "
            f"Received: model_type={model_type!r}"
        )
    is_int8 = dtype == "int8"
    load = _convert if model_type in CONVERTERS else _load_keras_hub_backbone
    model = load(assets, config, load_weights, None if is_int8 else dtype)
    if is_int8:
        from keras_mmfusion.models.presets.quantizable_model import quantize_model

        quantize_model(model, "int8")
    model.source = assets.describe_source()
    return model


def _convert(assets, config, load_weights, dtype):
    converter = find_converter(config["model_type"])
    weights = assets.open_weights() if load_weights else None
    initialization = skip_random_values() if load_weights else contextlib.nullcontext()
    with _dtype_policy(dtype), initialization:
        try:
            model = converter.build_model(config, assets)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(
                f"The files in {str(assets.folder)!r} do not describe a model of type "
                f"{config['model_type']!r}: {error!r}"
            ) from error
    _keep_preprocessor_float32(model, dtype)
    if load_weights:
        from keras_mmfusion.checkpoints.assign_weights import assign_weights

        assign_weights(model, config, converter, weights)
    return model


@contextlib.contextmanager
def _dtype_policy(dtype):
    """Sets the global dtype policy for the layers that are created in the block."""
    import keras

    before = keras.config.dtype_policy()
    if dtype is not None:
        keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _keep_preprocessor_float32(model, dtype):
    """Images are resized and scaled in float32; tokenizers keep their integer dtype."""
    preprocessor = getattr(model, "preprocessor", None)
    if preprocessor is None or dtype is None:
        return
    import keras

    from keras_mmfusion._keras_internals import flatten_layers

    name = keras.dtype_policies.get(dtype).name
    for layer in flatten_layers(preprocessor):
        if layer.dtype_policy.name == name:
            layer.dtype_policy = "float32"


def _load_keras_hub_backbone(assets, config, load_weights, dtype):
    import keras_hub

    options = {"load_weights": load_weights, **({"dtype": dtype} if dtype else {})}
    try:
        return keras_hub.models.Backbone.from_preset(str(assets.folder), **options)
    except ValueError as error:
        if "has no converter" not in str(error):
            raise
    return find_converter(config["model_type"])  # Raises an error with the supported types.
