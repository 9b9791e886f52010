"""Models as preset folders: KerasHub's, by its public classes alone, for tasks of any encoder."""

import json
import pathlib

import keras
import keras_hub

from keras_mmfusion._extras import require_extra
from keras_mmfusion.files.atomic_files import replace_folder
from keras_mmfusion.files.json_files import read_json
from keras_mmfusion.models.presets.preset_target import check_preset_target
from keras_mmfusion.models.presets.quantizable_model import QuantizableModel
from keras_mmfusion.models.presets.registered_classes import register_classes
from keras_mmfusion.models.presets.slow_float16 import warn_of_slow_float16

TASK_CONFIG = "task.json"
TASK_WEIGHTS = "task.weights.h5"
BACKBONE_WEIGHTS = "model.weights.h5"


class PresetModel(QuantizableModel):
    """What models that live in preset folders share; goes before the Keras class they extend."""

    def save_to_preset(self, preset_dir):
        """Writes the model as a preset folder: configuration, weights, vocabulary."""
        save_preset(self, preset_dir)

    def fit(self, *args, **kwargs):
        """Trains the model, as Keras's `fit` does."""
        warn_of_slow_float16(self.dtype_policy)
        return super().fit(*args, **kwargs)

    @classmethod
    def from_preset(cls, preset, load_weights=True, dtype=None):
        """Loads a preset folder, or an `hf://` or `kaggle://` handle of one.

        Args:
            preset: string or path.
            load_weights: bool. Whether to load the weights or leave them random.
            dtype: string or `keras.DTypePolicy`, such as `"mixed_bfloat16"`. Defaults to the
                policy that the preset was saved with.

        Returns:
            A model of the class that the preset names.
        """
        return load_preset(cls, preset, load_weights=load_weights, dtype=dtype)


def save_preset(task, preset_dir):
    """Writes a task to a preset folder; one that is there is replaced when all is written.

    Args:
        task: `keras_hub.models.Task` whose backbone is a `keras.Model`; or another Keras model,
            of which the folder has the configuration and the weights.
        preset_dir: string or path.

    Raises:
        ValueError: if the folder holds something other than a preset, which would be lost, or the
            model cannot be written as one.
    """
    check_preset_target(preset_dir)
    is_task = isinstance(task, keras_hub.models.Task)
    if is_task and not isinstance(task.backbone, keras.Model):
        raise ValueError(
            "A preset folder needs an encoder that is a `keras.Model`. Received: "
            f"{task.backbone!r}. Save with `model.save('model.keras')` instead."
        )
    with replace_folder(preset_dir) as new:
        if is_task:
            keras_hub.models.Task.save_to_preset(task, str(new))
        else:
            config = _without_compile_config(keras.saving.serialize_keras_object(task))
            (new / TASK_CONFIG).write_text(json.dumps(config, indent=4) + "\n", "utf-8")
        keras.saving.save_weights(task, new / TASK_WEIGHTS, objects_to_skip=_not_in_task(task))


def _without_compile_config(config):
    """How a model was trained is not part of a preset; its optimizer may be another backend's."""
    if isinstance(config, dict):
        return {
            name: _without_compile_config(value)
            for name, value in config.items()
            if name != "compile_config"
        }
    return [_without_compile_config(x) for x in config] if isinstance(config, list) else config


def load_preset(cls, preset, load_weights=True, dtype=None):
    """Loads a task of class `cls` or a subclass from a preset folder or hub handle."""
    folder = _local_folder(str(preset))
    config_path = folder / TASK_CONFIG
    if not config_path.is_file():
        raise ValueError(
            f"`preset` must be a preset folder with a {TASK_CONFIG}. Received: {str(preset)!r}. "
            "Write one with `model.save_to_preset(folder)`."
        )
    config = read_json(config_path)
    register_classes(config)
    task = keras.saving.deserialize_keras_object(config)
    if not isinstance(task, cls):
        raise ValueError(
            f"`preset` {str(preset)!r} holds a {type(task).__name__}, not a {cls.__name__}."
        )
    if getattr(task, "preprocessor", None) is not None:
        task.preprocessor.load_preset_assets(str(folder))
    if load_weights:
        path = folder / TASK_WEIGHTS
        keras.saving.load_weights(task, path, objects_to_skip=_not_in_task(task))
        if isinstance(task, keras_hub.models.Task):
            task.backbone.load_weights(str(folder / BACKBONE_WEIGHTS))
    if dtype is not None:
        set_dtype_policy(task, dtype)
        task.compile()
    return task


def _not_in_task(task):
    """What the task's weight file leaves out: the backbone, and what the optimizer remembers."""
    backbone = task.backbone._flatten_layers() if isinstance(task, keras_hub.models.Task) else ()
    return [*backbone, getattr(task, "optimizer", None)]  # None before the first `compile`.


def set_dtype_policy(model, dtype):
    """Makes every layer of a built model compute under another policy.

    Weights keep their dtype, so the policy's variable dtype must be the one that they have. The
    preprocessor, if the model has one, stays as it is. Compile the model afterwards: float16
    needs an optimizer that scales the loss.

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
    kept = set() if preprocessor is None else {id(x) for x in preprocessor._flatten_layers()}
    for layer in model._flatten_layers():
        if id(layer) in kept:
            continue
        mode = layer.quantization_mode
        layer.dtype_policy = policy if mode is None else f"{mode}_from_{policy.name}"


def _local_folder(preset):
    scheme, separator, handle = preset.partition("://")
    if not separator:
        return pathlib.Path(preset)
    if scheme.lower() == "hf":
        require_extra("hub", f"Preset {preset!r}", "huggingface_hub")
        import huggingface_hub

        return pathlib.Path(huggingface_hub.snapshot_download(handle))
    if scheme.lower() == "kaggle":
        import kagglehub

        return pathlib.Path(kagglehub.model_download(handle))
    raise ValueError(
        "`preset` must be a folder, or a handle that begins with hf:// or kaggle://. "
        f"Received: {preset!r}"
    )
