"""Loads any language model: a checkpoint, a GGUF file, or a preset."""

import os

from keras_mmfusion.checkpoints.checkpoint_assets import CheckpointAssets
from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint
from keras_mmfusion.checkpoints.converters import CONVERTERS
from keras_mmfusion.checkpoints.gguf_assets import is_gguf
from keras_mmfusion.models.presets import preset_folder
from keras_mmfusion.models.presets.hub_files import is_transformers_checkpoint


def load_language_model(path, dtype=None):
    """Loads a language model.

    Args:
        path: string or path of a folder with a checkpoint of transformers, of a GGUF file, or of a
            preset of this package or of KerasHub; or a handle of a preset of KerasHub.
        dtype: string or `keras.DTypePolicy`; see `load_checkpoint`.

    Returns:
        A `keras_hub.models.CausalLM`. Model types without a converter in this package are loaded by
        KerasHub, with its preprocessor.

    Raises:
        OSError: if there is no such GGUF file.
        ValueError: if the file or the folder is not a language model, or is damaged.
    """
    import keras_hub

    path = os.fspath(path)
    is_checkpoint = is_gguf(path) or is_transformers_checkpoint(path)
    if is_gguf(path) or (is_checkpoint and _has_converter(path)):
        model = load_checkpoint(path, dtype=dtype)
    elif not is_checkpoint and os.path.isdir(path) and _is_task(path):
        model = preset_folder.load_preset(keras_hub.models.CausalLM, path, dtype=dtype)
    else:
        options = {"dtype": dtype} if dtype else {}
        model = keras_hub.models.CausalLM.from_preset(path, **options)
    if not isinstance(model, keras_hub.models.CausalLM):
        raise ValueError(f"{path!r} contains a {type(model).__name__}, not a language model.")
    return model


def _has_converter(folder):
    return CheckpointAssets(folder).config.get("model_type") in CONVERTERS


def _is_task(folder):
    return os.path.isfile(os.path.join(folder, preset_folder.TASK_CONFIG))
