"""Converts a trained captioner for publication: float32 policy, weights stored as float16.

    python zoo/prepare_captioner.py runs/mine zoo/my_captioner

Files of an existing preset are replaced; its card, recipe and results stay unchanged.
"""

import argparse
import os
import tempfile
from pathlib import Path

from keras_mmfusion.models import Captioner
from keras_mmfusion.models.presets.half_precision_weights import store_as_float16


def prepare_captioner(trained, published):
    """Writes a trained preset to the folder of a published one.

    Args:
        trained: path of the trained preset folder.
        published: path of the folder to write to.
    """
    published = Path(published)
    published.mkdir(parents=True, exist_ok=True)
    model = Captioner.from_preset(trained, dtype="float32")
    model.image_encoder.trainable = True  # Users decide what to freeze.
    with tempfile.TemporaryDirectory(dir=published.parent) as scratch:
        model.save_to_preset(scratch)
        for weights in Path(scratch).glob("*.weights.h5"):
            store_as_float16(weights)
        for path in sorted(Path(scratch).rglob("*")):
            target = published / path.relative_to(scratch)
            if path.is_dir():
                target.mkdir(exist_ok=True)
            else:
                os.replace(path, target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trained")
    parser.add_argument("published")
    arguments = parser.parse_args()
    prepare_captioner(arguments.trained, arguments.published)
