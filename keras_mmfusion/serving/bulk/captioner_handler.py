"""An exported captioner for Beam's RunInference. This module needs the extra `beam`."""

import dataclasses
import io
import os
import re
import tempfile
from typing import NamedTuple

import numpy as np
from apache_beam.ml.inference.base import ModelHandler
from PIL import Image

from keras_mmfusion.datasets.images.decoding.decode_image_tensor import (
    DAMAGED,
    ERRORS,
    NOT_AN_IMAGE,
    OK,
    UNSUPPORTED,
)
from keras_mmfusion.datasets.images.read_image import read_image
from keras_mmfusion.serving.bulk.progress_report import LOCAL_WORK
from keras_mmfusion.serving.bulk.shard_images import batch_by_pixels, read_shard_images
from keras_mmfusion.serving.bulk.shard_plan import Shard


@dataclasses.dataclass(frozen=True)
class CaptionedShard:
    """A shard with its captions and errors.

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

    RunInference loads the model once per worker process. Each element is a shard, so a worker can
    write a shard as soon as it is captioned; the images of a shard are batched by their pixels.

    Args:
        model: string. The folder of a version, accessible to every worker.
        drop_alpha: bool. Whether the model ignores the transparency of images; see `read_image`.
    """

    def __init__(self, model, drop_alpha=False):
        super().__init__(max_batch_size=1)
        self.model = model
        self.drop_alpha = drop_alpha

    def load_model(self):
        LOCAL_WORK.stage = "loading the model"
        model = _load_saved_model(self.model)
        LOCAL_WORK.stage = "captioning the first images"
        return model

    def run_inference(self, batch, model, inference_args=None):
        """Returns a `CaptionedShard` for each `Shard`."""
        signature = model.signatures["serving_default"]
        return [_caption_shard(shard, signature, self.drop_alpha) for shard in batch]


def _load_saved_model(folder):
    """Loads a SavedModel from any path: TensorFlow treats the path of the weights as a pattern."""
    import tensorflow as tf

    if not re.search(r"[*?[\\]", folder) or not os.path.isdir(folder):
        return tf.saved_model.load(folder)
    with tempfile.TemporaryDirectory() as scratch:
        link = os.path.join(scratch, "model")
        os.symlink(folder, link, target_is_directory=True)
        return tf.saved_model.load(link)


def _caption_shard(shard, signature, drop_alpha):
    captions, errors = [], []
    for images in batch_by_pixels(read_shard_images(shard)):
        # Unreadable images are passed as empty files.
        rows = _run_signature(signature, [image.content or b"" for image in images])
        reasons = _caption_with_pillow(signature, images, rows, drop_alpha)
        for index, (image, row) in enumerate(zip(images, rows, strict=True)):
            names = {"image": image.name}
            if image.filename is not None:
                names["filename"] = image.filename
            if row.code == OK:
                captions.append({**names, "caption": row.text, "score": row.score})
            else:
                reason = image.error or reasons.get(index) or ERRORS[row.code]
                errors.append({**names, "error": reason})
        LOCAL_WORK.add(len(images))
    return CaptionedShard(shard, captions, errors)


class _Row(NamedTuple):
    code: int
    text: str
    score: float


def _run_signature(signature, contents):
    """Returns a `_Row` for each image file."""
    import tensorflow as tf

    outputs = signature(image_bytes=tf.constant(np.array(contents, dtype=object)))
    columns = [outputs[name].numpy() for name in ("error_codes", "captions", "scores")]
    return [
        _Row(int(code), text.decode(), float(score))
        for code, text, score in zip(*columns, strict=True)
    ]


def _caption_with_pillow(signature, images, rows, drop_alpha):
    """Captions files that Pillow decodes but the model's graph does not; replaces their rows.

    Returns:
        A dict of row index -> why Pillow cannot decode the file either.
    """
    reasons, decoded = {}, {}
    for index, (image, row) in enumerate(zip(images, rows, strict=True)):
        if image.content and row.code in (NOT_AN_IMAGE, UNSUPPORTED, DAMAGED):
            try:
                decoded[index] = _convert_to_png(image.content, drop_alpha)
            except ValueError as error:
                reasons[index] = " ".join(str(error).split())
    if decoded:
        new_rows = _run_signature(signature, list(decoded.values()))
        for index, row in zip(decoded, new_rows, strict=True):
            rows[index] = row
    return reasons


def _convert_to_png(content, drop_alpha):
    """Decodes an image with `read_image` and encodes it as PNG, which every graph decodes."""
    file = io.BytesIO()
    image = read_image(content, drop_alpha=drop_alpha)
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    return file.getvalue()
