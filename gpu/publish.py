"""Makes a preset folder of what a part returned.

    python gpu/publish.py OUT/captioner_flickr8k_lite2.json zoo/captioner_flickr8k_lite2

The preset is in float32 as all presets are, its files in float16. Score it afterwards with
`mmfusion evaluate`, on the photos as they are; `gpu/README.md` has the commands.
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
    """The model that a finished part returned.

    Args:
        path: path of the JSON file; the pieces that it names lie beside it.

    Returns:
        The model, and the part's record.
    """
    found = read_output(path.parent, path.stem)
    if found is None:
        raise ValueError(f"{path} does not exist.")
    record, arrays = found
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
    """With the whole vocabulary: word pieces that were not packed stay as they were before."""
    trained = _model(record["model"])
    assign_arrays(trained.weights, arrays)
    before = embedder(str(ROOT / "zoo" / BASE_EMBEDDER))
    copy_text_weights(trained.text_encoder, before.text_encoder, record["word_pieces"])
    encoders = {"image": trained.image_encoder, "text": before.text_encoder}
    return ContrastiveModel(
        encoders, trained.pair_loss, trained.projectors, before.preprocessor, name="embedder"
    )


def copy_text_weights(trained, whole, word_pieces):
    """Puts the weights of a text encoder of some word pieces into that of all of them.

    Args:
        trained, whole: `TextEncoder`s.
        word_pieces: list of ints, the ids that the trained one's stand for.
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
    """Saves a preset as presets are published; files of the folder that are not its own stay."""
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
