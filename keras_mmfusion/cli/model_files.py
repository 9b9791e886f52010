"""Models that a command loads or writes: a preset by name, folder or handle, or a `.keras` file."""

import pathlib

from keras_mmfusion.models.export.export_target import check_export_target
from keras_mmfusion.models.presets.preset_target import check_preset_target
from keras_mmfusion.zoo.manifest import compute_sha256
from keras_mmfusion.zoo.presets import get_fingerprint, resolve_preset

SUFFIX = ".keras"


def check_model(preset):
    """Raises an error if there is no such model; imports no Keras.

    Args:
        preset: string. The value of `--preset`.

    Raises:
        ValueError: if a file does not exist, or as for `resolve_preset`.
    """
    if not _is_file(preset):
        resolve_preset(preset)
    elif not pathlib.Path(preset).is_file():
        raise ValueError(f"`--preset` must be an existing .keras file. Received: {preset}")


def load_model(preset, model_class):
    """Loads a model.

    Args:
        preset: string. The value of `--preset`.
        model_class: the Keras model class that the command works with.

    Returns:
        An instance of the class or of a subclass.

    Raises:
        ValueError: if the preset or file contains another kind of model.
    """
    import keras

    if _is_file(preset):
        model = keras.saving.load_model(preset, compile=False)
    else:
        from keras_mmfusion.models.presets.preset_folder import load_preset

        model = load_preset(keras.Model, resolve_preset(preset))
    if not isinstance(model, model_class):
        raise ValueError(
            f"`--preset` {preset} contains a {type(model).__name__}, not a "
            f"{model_class.__name__}{_describe_use(model)}."
        )
    return model


def _describe_use(model):
    """Returns what a model is for and the command that uses it, or an empty string."""
    from keras_mmfusion.models import Captioner, ContrastiveModel, QuestionAnsweringModel

    uses = {
        QuestionAnsweringModel: "answers questions about images: use `mmfusion ask`",
        ContrastiveModel: "searches images: use `mmfusion search`",
        Captioner: "captions images: use `mmfusion caption`",
    }
    return next((f". It {use}" for kind, use in uses.items() if isinstance(model, kind)), "")


def load_captioner(preset):
    """Loads a model whose `generate` and `export` need only images.

    Raises:
        ValueError: if the model needs questions, or as for `load_model`.
    """
    from keras_mmfusion.models import Captioner, GitCaptioner, QuestionAnsweringModel

    model = load_model(preset, Captioner)
    # Models that generate answers are captioners of images and questions.
    if isinstance(model, QuestionAnsweringModel) and not isinstance(model, GitCaptioner):
        raise ValueError(
            f"`--preset` {preset} is a {type(model).__name__}, which answers questions. Use "
            "`mmfusion ask`, `mmfusion evaluate vqa` or `mmfusion export vqa`."
        )
    return model


def describe_model(preset):
    """Returns what results and manifests state about a model: its name and a hash of its files."""
    if _is_file(preset):
        return {"preset": pathlib.Path(preset).name, "preset_hash": compute_sha256(preset)}
    is_folder = pathlib.Path(preset).is_dir()
    return {
        "preset": pathlib.Path(preset).resolve().name if is_folder else preset,
        "preset_hash": get_fingerprint(preset),
    }


def check_export(preset, out):
    """Raises an error if a model does not exist or cannot be exported to `--out`; without Keras.

    Raises:
        ValueError: if `out` is a file, or as for `check_model`.
    """
    check_export_target(out)
    check_model(preset)


def check_model_out(path):
    """Raises an error if a model cannot be written to `--out`; imports no Keras.

    Raises:
        ValueError: if the target is a folder that is no preset, or in a folder that does not exist.
    """
    path = pathlib.Path(path)
    if not _is_file(path):
        check_preset_target(path)
    elif path.is_dir() or not path.absolute().parent.is_dir():
        raise ValueError(f"`--out` must be a file in an existing folder. Received: {path}")


def save_model(model, path):
    """Writes a model to `--out`, a `.keras` file or a preset folder."""
    if _is_file(path):
        model.save(path)
        return
    from keras_mmfusion.models.presets.preset_folder import save_preset

    save_preset(model, path)


def _is_file(path):
    return pathlib.Path(path).suffix == SUFFIX
