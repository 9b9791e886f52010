import itertools

import numpy as np
from keras import ops

from keras_mmfusion.datasets.images.read_images import read_images
from keras_mmfusion.encoders.pillow_image_converter import drops_alpha


def preprocess_images(images, preprocessor, batch_size):
    """Preprocesses the images passed to `generate` batch by batch, as the batches are needed.

    Args:
        images: one image or several, see `read_images`.
        preprocessor: `CaptioningPreprocessor`.
        batch_size: int.

    Returns:
        An iterator over float32 arrays `(batch, height, width, 3)`, and a bool: whether `images`
        was a single image.
    """
    arrays, single = read_images(images, drop_alpha=drops_alpha(preprocessor))
    return _make_batches(arrays, preprocessor, batch_size), single


def _make_batches(images, preprocessor, batch_size):
    while chunk := list(itertools.islice(images, batch_size)):
        yield np.concatenate([preprocess_image(image, preprocessor) for image in chunk])


def preprocess_image(image, preprocessor):
    """Preprocesses an array `(height, width, 3)`; returns a float32 array with a batch axis."""
    image = preprocessor.generate_preprocess(image[np.newaxis])
    return np.asarray(ops.convert_to_numpy(image), "float32")
