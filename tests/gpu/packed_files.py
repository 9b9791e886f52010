"""Writes small packed files for tests, in the layout of `gpu/pack.py`."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from keras_mmfusion.encoders import efficientnet_lite as network

ROOT = Path(__file__).resolve().parents[2]
GPU = ROOT / "gpu"
ENCODER = "efficientnet_lite2_imagenet"
WORD_PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "unseen",
    "a",
    "wall",
    "the",
    "is",
    "and",
]
WORD_PIECES += ["dark", "on", "left", "right", "red", "green", "blue"]
COLORS = {"red": (230, 20, 20), "green": (20, 200, 20), "blue": (30, 30, 240)}
# An encoder of two small blocks, which compiles in seconds.
SMALL_ENCODER = """
import keras_mmfusion.encoders.efficientnet_lite as network
network.VARIANTS["lite2"] = network.Variant(width=0.25, depth=0.1, image_size=64)
network.STAGES = network.STAGES[:1] + network.STAGES[-1:]
network.HEAD_FILTERS = 32
"""
WITHOUT_TENSORFLOW = """
import hide_tensorflow
"""
RUN = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
sys.argv = [sys.argv[1] + "/run.py", *sys.argv[2:]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def write_entries(folder, count=18, size=48):
    """Writes photos of one color with a darker left half, and captions; the last third is dev."""
    entries = []
    for index in range(count):
        color = list(COLORS)[index % 3]
        values = np.broadcast_to(np.array(COLORS[color]), (size, size, 3)).copy()
        values[:, : size // 2] //= 2
        path = folder / f"{index}.png"
        Image.fromarray(values.astype("uint8")).save(path)
        captions = [f"a {color} wall", f"the wall is {color} and dark on the left"]
        split = "train" if index < count * 2 // 3 else "dev"
        source = "coco" if index == 0 else "flickr8k"
        entries.append({"path": path, "captions": captions, "split": split, "source": source})
    return entries


def write_packed(folder):
    """Packs photos, an encoder with random weights, and a text encoder with caption ids."""
    sys.path.insert(0, str(GPU))
    with small_network():
        import pack

        from keras_mmfusion import ImageEncoder

        photos = folder / "photos"
        photos.mkdir()
        entries = write_entries(photos)
        pack.write_photos(folder, entries, quality=90, size=48)
        ImageEncoder("lite2").save_to_preset(str(folder / ENCODER))
        pack.copy_encoder(folder, folder / ENCODER)
        model = small_embedder()
        model.save_to_preset(folder / "zoo" / "image_text_flickr8k")
        pack.write_text(folder, model, [entry["captions"] for entry in entries])


def small_embedder():
    """Creates the model of the packed text encoder."""
    import keras
    from keras_hub.layers import ImageConverter
    from keras_hub.tokenizers import BertTokenizer

    from keras_mmfusion import ImageEncoder
    from keras_mmfusion.encoders import TextEncoder
    from keras_mmfusion.layers import SharedSpaceProjector
    from keras_mmfusion.models import ContrastiveModel, RetrievalPreprocessor

    keras.utils.set_random_seed(0)
    sizes = {"hidden_dim": 16, "intermediate_dim": 32, "num_layers": 1, "num_heads": 2}
    images = ImageEncoder("lite2")
    preprocessor = RetrievalPreprocessor(
        BertTokenizer(WORD_PIECES, lowercase=True),
        ImageConverter(image_size=images.image_size, scale=1 / 128, offset=-127 / 128),
        sequence_length=12,
    )
    return ContrastiveModel(
        {"image": images, "text": TextEncoder(len(WORD_PIECES), max_sequence_length=20, **sizes)},
        projectors={name: SharedSpaceProjector(16) for name in ("image", "text")},
        preprocessor=preprocessor,
    )


@contextlib.contextmanager
def small_network():
    """Context manager in which `ImageEncoder("lite2")` is the one defined in `SMALL_ENCODER`."""
    before = network.VARIANTS["lite2"], network.STAGES, network.HEAD_FILTERS
    exec(SMALL_ENCODER, {})
    try:
        yield
    finally:
        network.VARIANTS["lite2"], network.STAGES, network.HEAD_FILTERS = before


def command(*arguments):
    """Returns a command that runs parts without TensorFlow and with a small encoder."""
    code = WITHOUT_TENSORFLOW + SMALL_ENCODER + RUN
    return [sys.executable, "-c", code, str(GPU), *map(str, arguments)]


def environment(backend, packed, **variables):
    paths = [str(ROOT / "tests"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "KERAS_BACKEND": backend,
        "GPU_PACKED": str(packed),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        **variables,
    }


def run_parts(backend, packed, *arguments, **variables):
    subprocess.run(
        command(*arguments), env=environment(backend, packed, **variables), check=True, timeout=1800
    )
