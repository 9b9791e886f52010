"""Reads one or several images of any type, or videos."""

import itertools
import os
from collections.abc import Mapping

import numpy as np
from PIL import Image

from keras_mmfusion.datasets.images.read_image import read_image
from keras_mmfusion.datasets.videos.padded_video import read_padded_video
from keras_mmfusion.datasets.videos.read_videos import is_video


def read_images(images, name="images", drop_alpha=False, num_frames=None):
    """Reads one or several images lazily.

    Args:
        images: one image (see `read_image`); or a list, generator, array `(batch, height, width,
            channels)`, array or pandas `Series` of paths or files, or `tf.data.Dataset` of images
            or of dicts with `"images"`, batched or not.
        name: string. The name of `images` in error messages, which contain the index of the
            invalid image.
        drop_alpha: bool. Whether to ignore transparency; see `read_image`.
        num_frames: int or `None`. With an int, videos are accepted, too: video files, animations
            and folders, of which this number of frames is read; and, in a sequence, lists of
            frames, which are images, or arrays `(frames, height, width, channels)`. An array of
            videos has 5 axes.

    Returns:
        A tuple of an iterator over `np.uint8` arrays `(height, width, 3)`, or lists of them for
        videos, and whether `images` was a single image.

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
        return (_read_one(image, drop_alpha, num_frames) for image in [images]), True
    return _read_each(_iterate(images), name, drop_alpha, num_frames), False


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


def _read_each(images, name, drop_alpha, num_frames=None):
    for index, image in enumerate(images):
        if num_frames and (isinstance(image, (list, tuple)) or _count_axes(image) == 4):
            yield list(_read_each(image, f"{name}[{index}]", drop_alpha))
            continue
        try:
            yield _read_one(image, drop_alpha, num_frames)
        except (TypeError, ValueError) as error:
            raise type(error)(f"`{name}[{index}]`: {error}") from error


def _read_one(image, drop_alpha, num_frames):
    if num_frames and is_video(image):
        return list(read_padded_video(image, num_frames)[0])
    return read_image(image, drop_alpha=drop_alpha)


def _count_axes(image):
    return len(getattr(image, "shape", ()))


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
