"""Builds a preset folder from the output of a part.

    python gpu/publish.py OUT/captioner_flickr8k_lite2.json zoo/captioner_flickr8k_lite2

The preset uses float32, like all presets; its files are float16. Then score it with `mmfusion
evaluate` on the original photos; `gpu/README.md` has the commands.
"""

import argparse
import pathlib
import sys

import keras
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from outputs import assign_arrays, read_output

from keras_mmfusion.models import ContrastiveModel
from keras_mmfusion.models.presets.half_precision_weights import store_as_float16
from keras_mmfusion.models.presets.registered_classes import register_classes
from keras_mmfusion.zoo import embedder

ROOT = pathlib.Path(__file__).resolve().parents[1]
BASE_EMBEDDER = "image_text_flickr8k"


def load_returned(path):
    """Loads the model of a finished part.

    Args:
        path: path of the JSON file; its pieces must be in the same folder.

    Returns:
        The model and the record of the part.
    """
    result = read_output(path.parent, path.stem)
    if result is None:
        raise ValueError(f"{path} does not exist.")
    record, arrays = result
    if not record.get("done"):
        raise ValueError(
            f"{path} is of a run that was stopped at {record['progress']:.0%} of its training. "
            "Resume it: `bash gpu/run.sh NEW_OUT PART --resume OUT`."
        )
    make = {"captioner": _captioner, "embedder": _embedder}[record["kind"]]
    return make(record, arrays), record


def _captioner(record, arrays):
    model = _model(record["model"])
    model.preprocessor.tokenizer.set_vocabulary(record["vocabulary"])
    assign_arrays(model.weights, arrays)
    return model


def _embedder(record, arrays):
    """Loads an embedder with the full vocabulary; unpacked word pieces keep their weights."""
    trained = _model(record["model"])
    assign_arrays(trained.weights, arrays)
    before = embedder(str(ROOT / "zoo" / BASE_EMBEDDER))
    copy_text_weights(trained.text_encoder, before.text_encoder, record["word_pieces"])
    encoders = {"image": trained.image_encoder, "text": before.text_encoder}
    return ContrastiveModel(
        encoders, trained.pair_loss, trained.projectors, before.preprocessor, name="embedder"
    )


def copy_text_weights(trained, whole, word_pieces):
    """Copies the weights of a text encoder with some word pieces to one with all of them.

    Args:
        trained, whole: `TextEncoder`s.
        word_pieces: list of ints, the full ids of the trained encoder's word pieces.
    """
    for source, target in zip(trained.weights, whole.weights, strict=True):
        values = keras.ops.convert_to_numpy(source)
        if tuple(source.shape) != tuple(target.shape):
            rows = word_pieces if "token_embedding" in source.path else slice(len(values))
            merged = np.array(keras.ops.convert_to_numpy(target))
            merged[rows] = values
            values = merged
        target.assign(values)


def _model(config):
    register_classes(config)
    return keras.saving.deserialize_keras_object(config)


def write_preset(model, folder):
    """Saves a preset for publication; other files in the folder are kept."""
    scratch = folder.with_name(f".{folder.name}.new")
    model.save_to_preset(scratch)
    for weights in scratch.glob("*.weights.h5"):
        store_as_float16(weights)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(scratch.rglob("*")):
        target = folder / path.relative_to(scratch)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            path.replace(target)
    for path in sorted(scratch.rglob("*"), reverse=True):
        path.rmdir()
    scratch.rmdir()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", type=pathlib.Path, help="the JSON file that a part returned")
    parser.add_argument("preset", type=pathlib.Path, help="the folder of the preset")
    arguments = parser.parse_args()
    model, record = load_returned(arguments.output)
    write_preset(model, arguments.preset)
    print(f"{arguments.preset}: {record['steps']} steps, best score {record['best_score']:.4f}")


if __name__ == "__main__":
    main()
