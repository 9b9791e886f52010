"""Makes the published form of a trained captioner: float32 policy, weights stored as float16.

    python zoo/prepare_captioner.py runs/mine zoo/my_captioner

The files of a preset that is there are replaced; its card, recipe and results are left alone.
"""

import argparse
import os
import tempfile
from pathlib import Path

from keras_mmfusion.models import ImageCaptioningModel
from keras_mmfusion.models.presets.half_precision_weights import store_as_float16


def prepare_captioner(trained, published):
    """Writes a trained preset to a published folder.

    Args:
        trained: path of the preset folder that training wrote.
        published: path of the folder to write to.
    """
    published = Path(published)
    published.mkdir(parents=True, exist_ok=True)
    model = ImageCaptioningModel.from_preset(trained, dtype="float32")
    model.image_encoder.trainable = True  # Whoever loads it decides what to freeze.
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
