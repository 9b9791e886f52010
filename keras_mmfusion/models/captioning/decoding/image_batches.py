import itertools

import numpy as np
from keras import ops

from keras_mmfusion.datasets.images.read_images import read_images


def image_batches(images, preprocessor, batch_size):
    """Preprocessed batches of whatever `generate` takes, made one at a time as they are needed.

    Args:
        images: one image or several, see `read_images`.
        preprocessor: `CaptioningPreprocessor`.
        batch_size: int.

    Returns:
        An iterator over float32 arrays `(batch, height, width, 3)`, and whether `images` was one.
    """
    found, single = read_images(images)
    return _batches(found, preprocessor, batch_size), single


def _batches(images, preprocessor, batch_size):
    while chunk := list(itertools.islice(images, batch_size)):
        yield np.concatenate([_preprocess(image, preprocessor) for image in chunk])


def _preprocess(image, preprocessor):
    image = preprocessor.generate_preprocess(image[np.newaxis])
    return np.asarray(ops.convert_to_numpy(image), "float32")
