"""An exported captioner for Beam's RunInference. Importing this needs the extra `beam`."""

import dataclasses
import io
import os
import re
import tempfile
from typing import NamedTuple

import numpy as np
from apache_beam.ml.inference.base import ModelHandler
from PIL import Image

from keras_mmfusion.datasets.images.decode_image_tensor import (
    DAMAGED,
    ERRORS,
    NOT_AN_IMAGE,
    OK,
    UNSUPPORTED,
)
from keras_mmfusion.datasets.images.read_image import read_image
from keras_mmfusion.serving.bulk.progress_report import LOCAL_WORK
from keras_mmfusion.serving.bulk.shard_images import batches_by_cost, shard_images
from keras_mmfusion.serving.bulk.shard_plan import Shard


@dataclasses.dataclass(frozen=True)
class CaptionedShard:
    """A shard with a dict for each of its images, in two lists.

    Attributes:
        shard: `Shard`.
        captions: list of dicts: `"image"`, `"caption"`, `"score"`.
        errors: list of dicts: `"image"`, `"error"`.
    """

    shard: Shard
    captions: list[dict]
    errors: list[dict]


class CaptionerHandler(ModelHandler):
    """Captions shards with a SavedModel that `ImageCaptioningModel.export` wrote.

    RunInference loads the model once in each worker process. A shard is an element, so that a
    worker can write it as soon as it is through; the images in it are batched here, by their
    pixels.

    Args:
        model: string. The folder of a version, where every worker finds it.
    """

    def __init__(self, model):
        super().__init__(max_batch_size=1)
        self.model = model

    def load_model(self):
        LOCAL_WORK.stage = "loading the model"
        model = _load_saved_model(self.model)
        LOCAL_WORK.stage = "captioning the first images"
        return model

    def run_inference(self, batch, model, inference_args=None):
        """A `CaptionedShard` for each `Shard`."""
        return [_caption(shard, model.signatures["serving_default"]) for shard in batch]


def _load_saved_model(folder):
    """Loads a SavedModel, whose path TensorFlow takes for a pattern when it reads the weights."""
    import tensorflow as tf

    if not re.search(r"[*?[\\]", folder) or not os.path.isdir(folder):
        return tf.saved_model.load(folder)
    with tempfile.TemporaryDirectory() as scratch:
        link = os.path.join(scratch, "model")
        os.symlink(folder, link, target_is_directory=True)
        return tf.saved_model.load(link)


def _caption(shard, signature):
    captions, errors = [], []
    for images in batches_by_cost(shard_images(shard)):
        # What could not be read stays in its place, as an empty file.
        rows = _signed(signature, [image.content or b"" for image in images])
        reasons = _repair(signature, images, rows)
        for number, (image, row) in enumerate(zip(images, rows, strict=True)):
            facts = {"image": image.name}
            if image.filename is not None:
                facts["filename"] = image.filename
            if row.code == OK:
                captions.append({**facts, "caption": row.text, "score": row.score})
            else:
                reason = image.error or reasons.get(number) or ERRORS[row.code]
                errors.append({**facts, "error": reason})
        LOCAL_WORK.add(len(images))
    return CaptionedShard(shard, captions, errors)


class _Row(NamedTuple):
    code: int
    text: str
    score: float


def _signed(signature, contents):
    """What the model says to each file."""
    import tensorflow as tf

    found = signature(image_bytes=tf.constant(np.array(contents, dtype=object)))
    columns = [found[name].numpy() for name in ("error_codes", "captions", "scores")]
    return [
        _Row(int(code), text.decode(), float(score))
        for code, text, score in zip(*columns, strict=True)
    ]


def _repair(signature, images, rows):
    """Captions, in their rows, the files that the model's graph does not decode but Pillow does.

    Returns:
        Dict, row -> why Pillow does not decode it either.
    """
    reasons, repaired = {}, {}
    for number, (image, row) in enumerate(zip(images, rows, strict=True)):
        if image.content and row.code in (NOT_AN_IMAGE, UNSUPPORTED, DAMAGED):
            try:
                repaired[number] = _as_png(image.content)
            except ValueError as error:
                reasons[number] = " ".join(str(error).split())
    if repaired:
        found = _signed(signature, list(repaired.values()))
        for number, row in zip(repaired, found, strict=True):
            rows[number] = row
    return reasons


def _as_png(content):
    """The pixels that `read_image` reads, in a file that every graph decodes."""
    file = io.BytesIO()
    Image.fromarray(read_image(content)).save(file, "PNG", compress_level=1)
    return file.getvalue()
