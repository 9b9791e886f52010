"""Peer of parity.py: image converters and tokenizers of this package, compared with the source."""

import functools
import json
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from parity_inputs import PROCESSORS, get_kind
from peer_process import serve

from keras_mmfusion.checkpoints.checkpoint_assets import CheckpointAssets
from keras_mmfusion.checkpoints.image_processors import build_image_converter
from keras_mmfusion.checkpoints.tokenizers import (
    build_clip_tokenizer,
    build_gpt2_tokenizer,
    build_word_piece_tokenizer,
)
from keras_mmfusion.datasets.images.decoding.decode_image_tensor import OK, decode_image_tensors
from keras_mmfusion.datasets.images.read_image import read_image
from keras_mmfusion.encoders import AspectRatioImageConverter

TOKENIZERS = {
    "bert": build_word_piece_tokenizer,
    "clip": build_clip_tokenizer,
    "gpt2": build_gpt2_tokenizer,
}
BATCH = 1000  # Texts of a batch in tf.data.


def compare_images(paths, folder):
    """Compares eager calls, tf.data and an exported graph.

    Returns:
        A dict, processor -> way -> kind of image -> the largest difference of a pixel and the share
        of those above 1, on the scale from 0 to 255.
    """
    report = {}
    for name, (kind, config, length) in PROCESSORS.items():
        expected = np.load(pathlib.Path(folder, f"{name}.npy"))
        converter = build_image_converter(
            {"image_processor_type": f"{kind}ImageProcessor", **config}
        )
        scale = np.asarray(converter.scale, "float32")
        report[name] = {}
        for way, convert in WAYS.items():
            found = convert(functools.partial(_convert, converter, length), length, paths)
            report[name][way] = _summarize(np.abs(found - expected) / scale, paths)
    return report


def _convert(converter, length, image):
    """Converts an image, and pads it by zeros."""
    pixels = converter(image)
    if isinstance(converter, AspectRatioImageConverter):
        pixels, size = pixels
        pixels = tf.pad(pixels, [[0, length - size[0]], [0, length - size[1]], [0, 0]])
    return pixels


def _summarize(differences, paths):
    kinds = [get_kind(path) for path in paths]
    summary = {}
    for kind in sorted(set(kinds)):
        chosen = differences[[index for index, each in enumerate(kinds) if each == kind]]
        summary[kind] = {
            "largest": float(chosen.max()),
            "share_above_1": float(np.mean(chosen > 1.001)),
        }
    return summary


def convert_eagerly(convert, length, paths):
    images = [read_image(path, drop_alpha=True) for path in paths]
    return np.stack([np.asarray(convert(image)) for image in images])


def convert_in_pipeline(convert, length, paths):
    def load():
        for path in paths:
            yield read_image(path, drop_alpha=True)

    spec = tf.TensorSpec((None, None, 3), "uint8")
    images = tf.data.Dataset.from_generator(load, output_signature=spec).map(convert)
    return np.stack(list(images.as_numpy_iterator()))


def convert_in_graph(convert, length, paths):
    """Converts the contents of the files in a SavedModel."""
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((None,), "string")])
    def convert_files(contents):
        return decode_image_tensors(contents, convert, (length, length), drop_alpha=True)

    module.convert = convert_files
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder)
        loaded = tf.saved_model.load(folder)
    contents = [pathlib.Path(path).read_bytes() for path in paths]
    images, codes = loaded.convert(tf.constant(contents, "string"))
    if not np.all(codes.numpy() == OK):
        raise RuntimeError(f"The graph does not decode all files: {codes.numpy()}")
    return images.numpy()


WAYS = {"eager": convert_eagerly, "tf.data": convert_in_pipeline, "graph": convert_in_graph}


def compare_ids(kind, vocabulary, texts, ids):
    """Compares the ids of texts, eagerly and in tf.data.

    Returns:
        A dict with the number of texts and of those with other ids, and three of them.
    """
    texts = json.loads(pathlib.Path(texts).read_text("utf-8"))
    expected = json.loads(pathlib.Path(ids).read_text("utf-8"))
    tokenizer = TOKENIZERS[kind](CheckpointAssets(vocabulary))
    batches = tf.data.Dataset.from_tensor_slices(texts).batch(BATCH).map(tokenizer)
    ways = {
        "eager": [tokenizer(text) for text in texts],
        "tf.data": [row for batch in batches for row in batch.to_list()],
    }
    report = {"texts": len(texts)}
    for way, found in ways.items():
        wrong = [
            text for text, a, b in zip(texts, found, expected, strict=True) if list(a) != list(b)
        ]
        report[way] = {"different": len(wrong), "examples": wrong[:3]}
    return report


if __name__ == "__main__":
    serve(
        {"tensorflow": tf.__version__},
        {"compare_images": compare_images, "compare_ids": compare_ids},
    )
