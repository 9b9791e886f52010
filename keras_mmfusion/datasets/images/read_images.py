"""Reads one or several images of any type."""

import itertools
import os
from collections.abc import Mapping

import numpy as np
from PIL import Image

from keras_mmfusion.datasets.images.read_image import read_image


def read_images(images, name="images", drop_alpha=False, read=read_image):
    """Reads one or several images lazily.

    Args:
        images: one image (see `read_image`); or a list, generator, array `(batch, height, width,
            channels)`, array or pandas `Series` of paths or files, or `tf.data.Dataset` of images
            or of dicts with `"images"`, batched or not.
        name: string. The name of `images` in error messages, which contain the index of the
            invalid image.
        drop_alpha: bool. Whether to ignore transparency; see `read_image`.
        read: function that reads one image, called with `drop_alpha`, such as one that also reads
            videos as lists of frames.

    Returns:
        A tuple of an iterator over `np.uint8` arrays `(height, width, 3)`, and whether `images` was
        a single image.

    Raises:
        TypeError: if `images` is a dict or a table.

    Example:

    >>> import numpy as np
    >>> images, single = read_images(np.zeros((4, 5, 3), "uint8"))
    >>> [image.shape for image in images], single
    ([(4, 5, 3)], True)
    """
    if isinstance(images, Mapping) or hasattr(images, "columns"):
        raise TypeError(
            f"`{name}` must be one image or a sequence of images, such as a column of a table. "
            f"Received: {type(images)}"
        )
    if _is_single(images):
        return (read(image, drop_alpha=drop_alpha) for image in [images]), True
    return _read_each(_iterate(images), name, drop_alpha, read), False


def pair_with_images(images, texts, noun):
    """Pairs images that are read lazily with texts, one for each image.

    Args:
        images: iterator, from `read_images`.
        texts: list.
        noun: string. What a text is, for the error message.

    Raises:
        ValueError: from the iterator, if the numbers of images and texts differ.
    """
    end = object()
    for image, text in itertools.zip_longest(images, texts, fillvalue=end):
        if image is end or text is end:
            raise ValueError(
                f"There must be one {noun} for each image. Received: {len(texts)} of them and "
                f"{'fewer' if image is end else 'more'} images"
            )
        yield image, text


def _read_each(images, name, drop_alpha, read):
    for index, image in enumerate(images):
        try:
            yield read(image, drop_alpha=drop_alpha)
        except (TypeError, ValueError) as error:
            raise type(error)(f"`{name}[{index}]`: {error}") from error


def _is_single(images):
    kinds = (str, bytes, bytearray, memoryview, os.PathLike, Image.Image)
    if isinstance(images, kinds) or hasattr(images, "read"):
        return True
    if getattr(getattr(images, "dtype", None), "kind", None) in ("O", "S", "U", "T"):
        return np.ndim(images) == 0
    shape = getattr(images, "shape", None)
    if shape is not None:
        return len(shape) not in (1, 4, 5)
    return not hasattr(images, "__iter__")


def _iterate(images):
    if not hasattr(images, "element_spec"):
        yield from images
        return
    for element in images.as_numpy_iterator():
        element = element["images"] if isinstance(element, dict) else element
        element = element[0] if isinstance(element, tuple) else element
        if isinstance(element, np.ndarray) and (element.ndim in (4, 5) or element.dtype == object):
            yield from element
        else:
            yield element
