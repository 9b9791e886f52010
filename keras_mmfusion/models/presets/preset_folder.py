"""Saving and loading of models as KerasHub preset folders, for tasks with any encoder."""

import contextlib
import json
import pathlib

import keras
import keras_hub

from keras_mmfusion._keras_internals import flatten_layers, skip_random_values
from keras_mmfusion._lazy import import_export
from keras_mmfusion.files.atomic_files import replace_folder
from keras_mmfusion.files.json_files import read_json
from keras_mmfusion.models.presets.hub_files import fetch_from_hub, is_transformers_checkpoint
from keras_mmfusion.models.presets.preset_target import check_preset_target
from keras_mmfusion.models.presets.quantizable_model import QuantizableModel
from keras_mmfusion.models.presets.registered_classes import register_classes

TASK_CONFIG = "task.json"
TASK_WEIGHTS = "task.weights.h5"
BACKBONE_WEIGHTS = "model.weights.h5"
METADATA = "metadata.json"


class PresetModel(QuantizableModel):
    """Mixin of models that can be saved as preset folders; precedes the Keras base class."""

    def save_to_preset(self, preset_dir):
        """Saves the model as a preset folder: configuration, weights, vocabulary."""
        save_preset(self, preset_dir)

    @classmethod
    def from_preset(cls, preset, load_weights=True, dtype=None):
        """Loads a model from a folder, or from an `hf://` or `kaggle://` handle.

        The files decide whether it is a preset or a checkpoint of transformers, which is
        converted; see `keras_mmfusion.checkpoints.load_checkpoint`.

        Args:
            preset: string or path, such as `"hf://owner/name"` or `"hf://owner/name@revision"`.
            load_weights: bool. Whether to load the weights or initialize them randomly.
            dtype: string or `keras.DTypePolicy`, such as `"mixed_bfloat16"`. Defaults to the
                policy of the saved model.

        Returns:
            A model of the saved class.
        """
        return load_preset(cls, preset, load_weights=load_weights, dtype=dtype)


def save_preset(task, preset_dir):
    """Saves a task as a preset folder; an existing preset is replaced atomically.

    Args:
        task: `keras_hub.models.Task` whose backbone is a `keras.Model`; or another Keras model,
            of which configuration and weights are saved.
        preset_dir: string or path.

    Raises:
        ValueError: if the folder contains something other than a preset, which would be lost, or
            the model cannot be saved as a preset.
    """
    check_preset_target(preset_dir)
    is_task = isinstance(task, keras_hub.models.Task)
    if is_task and not isinstance(task.backbone, keras.Model):
        raise ValueError(
            "A preset folder requires an encoder that is a `keras.Model`. Save with "
            f"`model.save('model.keras')` instead. Received: {task.backbone!r}"
        )
    with replace_folder(preset_dir) as new:
        if is_task:
            keras_hub.models.Task.save_to_preset(task, str(new))
        else:
            config = _remove_compile_config(keras.saving.serialize_keras_object(task))
            (new / TASK_CONFIG).write_text(json.dumps(config, indent=4) + "\n", "utf-8")
        keras.saving.save_weights(task, new / TASK_WEIGHTS, objects_to_skip=_find_skipped(task))
        if getattr(task, "source", None):
            metadata = {**_read_metadata(new), "source": dict(task.source)}
            (new / METADATA).write_text(json.dumps(metadata, indent=4) + "\n", "utf-8")


def _read_metadata(folder):
    return read_json(folder / METADATA) if (folder / METADATA).is_file() else {}


def _remove_compile_config(config):
    """A preset has no training state: its optimizer may belong to another backend."""
    if isinstance(config, dict):
        return {
            name: _remove_compile_config(value)
            for name, value in config.items()
            if name != "compile_config"
        }
    return [_remove_compile_config(x) for x in config] if isinstance(config, list) else config


def load_preset(cls, preset, load_weights=True, dtype=None):
    """Loads a task of class `cls` or a subclass from a preset, a checkpoint or a hub handle."""
    folder = _fetch_folder(str(preset))
    if is_transformers_checkpoint(folder):
        load_checkpoint = import_export("load_checkpoint")  # Of a package above this one.
        return _check_class(load_checkpoint(folder, load_weights, dtype), cls, preset)
    config_path = folder / TASK_CONFIG
    if not config_path.is_file():
        raise ValueError(
            f"`preset` must be a preset folder with a {TASK_CONFIG}, such as one saved by "
            f"`model.save_to_preset(folder)`. Received: {str(preset)!r}"
        )
    config = read_json(config_path)
    register_classes(config)
    with skip_random_values() if load_weights else contextlib.nullcontext():
        task = _check_class(keras.saving.deserialize_keras_object(config), cls, preset)
    if getattr(task, "preprocessor", None) is not None:
        task.preprocessor.load_preset_assets(str(folder))
    if load_weights:
        path = folder / TASK_WEIGHTS
        keras.saving.load_weights(task, path, objects_to_skip=_find_skipped(task))
        if isinstance(task, keras_hub.models.Task):
            task.backbone.load_weights(str(folder / BACKBONE_WEIGHTS))
    if dtype is not None:
        set_dtype_policy(task, dtype)
        task.compile()
    if source := _read_metadata(folder).get("source"):
        task.source = source  # Of a converted checkpoint.
    return task


def _check_class(model, cls, preset):
    if not isinstance(model, cls):
        name = type(model).__name__
        loader = f"{name}.from_preset" if isinstance(model, PresetModel) else "zoo.load_preset"
        raise ValueError(
            f"`preset` {str(preset)!r} contains a {name}, not a {cls.__name__}. Use `{loader}`."
        )
    return model


def _find_skipped(task):
    """Finds the objects that are not in the task's weight file: backbone and optimizer."""
    backbone = flatten_layers(task.backbone) if isinstance(task, keras_hub.models.Task) else ()
    return [*backbone, getattr(task, "optimizer", None)]  # None before the first `compile`.


def set_dtype_policy(model, dtype):
    """Sets the dtype policy of every layer of a built model, except for its preprocessor.

    Weights keep their dtype, so the variable dtype of the policy must match. Compile the model
    afterwards: float16 requires an optimizer with loss scaling.

    Args:
        model: built `keras.Model` or layer.
        dtype: string or `keras.DTypePolicy`.
    """
    policy = keras.dtype_policies.get(dtype)
    current = model.variable_dtype
    if policy.variable_dtype != current:
        raise ValueError(
            f"`dtype` must keep the weights in {current}, as 'mixed_bfloat16' and 'mixed_float16' "
            f"do. Received: {policy.name!r}"
        )
    preprocessor = getattr(model, "preprocessor", None)
    kept = set() if preprocessor is None else {id(x) for x in flatten_layers(preprocessor)}
    for layer in flatten_layers(model):
        if id(layer) in kept:
            continue
        mode = layer.quantization_mode
        layer.dtype_policy = policy if mode is None else f"{mode}_from_{policy.name}"


def _fetch_folder(preset):
    scheme, separator, handle = preset.partition("://")
    if not separator:
        return pathlib.Path(preset)
    if scheme.lower() == "hf":
        return fetch_from_hub(handle)
    if scheme.lower() == "kaggle":
        import kagglehub

        return pathlib.Path(kagglehub.model_download(handle))
    raise ValueError(
        "`preset` must be a folder or a handle that starts with hf:// or kaggle://. "
        f"Received: {preset!r}"
    )
