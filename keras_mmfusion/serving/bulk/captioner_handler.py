"""An exported captioner for Beam's RunInference. Importing this needs the extra `beam`."""

import dataclasses

import numpy as np
from apache_beam.ml.inference.base import ModelHandler

from keras_mmfusion.datasets.decode_image_tensor import ERRORS, OK
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
        import tensorflow as tf

        return tf.saved_model.load(self.model)

    def run_inference(self, batch, model, inference_args=None):
        """A `CaptionedShard` for each `Shard`."""
        return [_caption(shard, model.signatures["serving_default"]) for shard in batch]


def _caption(shard, signature):
    import tensorflow as tf

    captions, errors = [], []
    for images in batches_by_cost(shard_images(shard)):
        # What could not be read stays in its place, as an empty file.
        contents = np.array([image.content or b"" for image in images], dtype=object)
        found = signature(image_bytes=tf.constant(contents))
        found = {name: value.numpy() for name, value in found.items()}
        for row, image in enumerate(images):
            facts = {"image": image.name}
            if image.filename is not None:
                facts["filename"] = image.filename
            code = int(found["error_codes"][row])
            if code == OK:
                text, score = found["captions"][row].decode(), float(found["scores"][row])
                captions.append({**facts, "caption": text, "score": score})
            else:
                errors.append({**facts, "error": image.error or ERRORS[code]})
    return CaptionedShard(shard, captions, errors)
