"""Reads the photos, captions, token ids and weights that `pack.py` wrote."""

import concurrent.futures
import dataclasses
import gzip
import io
import json
import os
import pathlib

import numpy as np
from PIL import Image

PHOTOS_FILE, INDEX_FILE = "photos.bin", "photos.json.gz"
TINY_PHOTOS = 32
ENCODERS_FOLDER = "encoders"
TEXT_FOLDER = "text"


def find_packed_folder():
    """Returns the folder with the packed files: `packed` next to this file, or GPU_PACKED."""
    default = pathlib.Path(__file__).resolve().parent / "packed"
    return pathlib.Path(os.environ.get("GPU_PACKED", default))


def is_tiny():
    """Returns whether parts run at the smallest size, for a trial (`run.py --tiny`)."""
    return os.environ.get("GPU_TINY") == "1"


@dataclasses.dataclass(frozen=True)
class Photos:
    """Captioned photos.

    Attributes:
        pixels: uint8 array `(photos, height, width, 3)`.
        captions: list of lists of strings.
        sources: array of strings `(photos,)`: the data set of each.
        rows: int array `(photos,)`: the index of each photo among all packed photos.
    """

    pixels: np.ndarray
    captions: list
    sources: np.ndarray
    rows: np.ndarray

    def __len__(self):
        return len(self.pixels)


def read_photos(split, sources=None):
    """Decodes the photos of a split.

    Args:
        split: string, `"train"` or `"dev"`.
        sources: names of data sets, or `None` for all.

    Returns:
        `Photos`.
    """
    folder = find_packed_folder()
    if not (folder / INDEX_FILE).is_file():
        raise ValueError(
            f"{folder} holds no packed photos. Run `python gpu/pack.py` first, or set GPU_PACKED "
            "to the folder that it wrote."
        )
    entries = json.loads(gzip.decompress((folder / INDEX_FILE).read_bytes()))["photos"]
    ends = np.cumsum([entry["bytes"] for entry in entries])
    data = (folder / PHOTOS_FILE).read_bytes()
    chosen = [
        row
        for row, entry in enumerate(entries)
        if entry["split"] == split and (sources is None or entry["source"] in sources)
    ]
    if is_tiny():
        chosen = chosen[:TINY_PHOTOS]

    def decode(row):
        file = data[ends[row] - entries[row]["bytes"] : ends[row]]
        with Image.open(io.BytesIO(file)) as image:
            return np.asarray(image.convert("RGB"))

    with concurrent.futures.ThreadPoolExecutor() as pool:
        pixels = np.stack(list(pool.map(decode, chosen)))
    return Photos(
        pixels,
        [entries[row]["captions"] for row in chosen],
        np.array([entries[row]["source"] for row in chosen]),
        np.array(chosen),
    )


def read_image_encoder(name):
    """Loads a pretrained `ImageEncoder` with all weights trainable."""
    from keras_mmfusion import ImageEncoder

    folder = find_packed_folder() / ENCODERS_FOLDER / name
    if not folder.is_dir():
        raise ValueError(f"{folder} is missing: name the part that needs it when packing.")
    return ImageEncoder.from_preset(str(folder))


def read_text_encoder():
    """Loads a pretrained `TextEncoder`, restricted to the word pieces of the packed captions."""
    import keras

    from keras_mmfusion.encoders import TextEncoder  # noqa: F401 (registers the class)

    folder = find_packed_folder() / TEXT_FOLDER
    if not folder.is_dir():
        raise ValueError(f"{folder} is missing: name the part that needs it when packing.")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    encoder = keras.saving.deserialize_keras_object(config)
    with np.load(folder / "weights.npz") as arrays:
        for number, variable in enumerate(encoder.weights):
            values = arrays[f"{number}.values"]
            if f"{number}.scale" in arrays:
                values = values.astype("float32") * arrays[f"{number}.scale"]
            variable.assign(values.astype("float32"))
    return encoder


def read_sentences(rows):
    """Reads token ids and masks of captions, original and with left and right swapped.

    Args:
        rows: int array, `Photos.rows`.

    Returns:
        Two int32 arrays `(2, photos, captions, tokens)`: ids and masks. Index 1 is swapped.
    """
    with np.load(find_packed_folder() / TEXT_FOLDER / "sentences.npz") as arrays:
        ids = arrays["ids"][:, rows].astype("int32")
        return ids, (ids != arrays["pad"]).astype("int32")


def read_word_pieces():
    """Returns the ids in the full vocabulary for the ids of the packed captions, as a list."""
    with np.load(find_packed_folder() / TEXT_FOLDER / "sentences.npz") as arrays:
        return arrays["kept"].tolist()
