import itertools
import os

import numpy as np
from keras import ops

from keras_mmfusion.datasets.read_image import read_image


def image_batches(images, preprocessor, batch_size):
    """Preprocessed batches of whatever `generate` takes, made one at a time as they are needed.

    Args:
        images: one image or several: paths, encoded bytes, PIL images, arrays, tensors, or a
            `tf.data.Dataset` of images or of dicts with `"images"`, batched or not.
        preprocessor: `CaptioningPreprocessor`.
        batch_size: int.

    Returns:
        An iterator over float32 arrays `(batch, height, width, 3)`, and whether `images` was one.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"`batch_size` must be an integer >= 1. Received: {batch_size!r}")
    single = _is_single(images)
    sources = [images] if single else _sources(images)
    return _batches(sources, preprocessor, batch_size), single


def _batches(sources, preprocessor, batch_size):
    sources = iter(sources)
    while chunk := list(itertools.islice(sources, batch_size)):
        yield np.concatenate([_preprocess(source, preprocessor) for source in chunk])


def _preprocess(source, preprocessor):
    image = read_image(source)[np.newaxis]
    return np.asarray(ops.convert_to_numpy(preprocessor.generate_preprocess(image)), "float32")


def _is_single(images):
    if isinstance(images, str | bytes | os.PathLike):
        return True
    shape = getattr(images, "shape", None)
    if shape is not None:
        return len(shape) != 4
    return not hasattr(images, "__iter__")


def _sources(images):
    if not hasattr(images, "element_spec"):
        yield from images
        return
    for element in images.as_numpy_iterator():
        element = element["images"] if isinstance(element, dict) else element
        element = element[0] if isinstance(element, tuple) else element
        if isinstance(element, np.ndarray) and (element.ndim == 4 or element.dtype == object):
            yield from element
        else:
            yield element
