"""Reads one or several videos of any type, with a fixed number of frames each."""

import os
from collections.abc import Mapping

import numpy as np

from keras_mmfusion.datasets.images.non_image_files import identify_file
from keras_mmfusion.datasets.images.read_image import read_image
from keras_mmfusion.datasets.images.read_images import read_images
from keras_mmfusion.datasets.videos.padded_video import read_padded_video
from keras_mmfusion.datasets.videos.read_video import identify_image, open_video, read_head


def read_videos(videos, num_frames, name="images"):
    """Reads one or several videos lazily.

    Args:
        videos: one video: a path, bytes, an open file, or an array `(frames, height, width,
            channels)`; or several: a list, generator, array `(batch, frames, height, width,
            channels)`, array or pandas `Series` of paths, or a `tf.data.Dataset` of batches of
            videos or of dicts with `"images"`. A video in a list may also be a list of frames.
        num_frames: int. See `read_padded_video`.
        name: string. The name of `videos` in error messages, which contain the index of the invalid
            video.

    Returns:
        A tuple of an iterator over lists of uint8 arrays `(height, width, 3)`, and whether `videos`
        was a single video.

    Raises:
        TypeError: if `videos` is a dict or a table.
    """
    if isinstance(videos, Mapping) or hasattr(videos, "columns"):
        raise TypeError(
            f"`{name}` must be one video or a sequence of videos, such as a column of a table. "
            f"Received: {type(videos)}"
        )
    is_single = _is_single(videos)
    return _read_each([videos] if is_single else _iterate(videos), num_frames, name), is_single


def read_image_or_video(source, num_frames, drop_alpha=False):
    """Reads an image, or the frames of a video.

    Args:
        source: an image, see `read_image`; a path, bytes or open file of a video or an animation,
            or a folder, of which `num_frames` frames are read; or a list of frames or an array
            `(frames, height, width, channels)`, all of which are returned.
        num_frames: int. See `read_padded_video`.
        drop_alpha: bool. Whether to ignore the transparency of images; see `read_image`.

    Returns:
        An array `(height, width, 3)`, or a list of them for a video, uint8.
    """
    if isinstance(source, (list, tuple)) or len(getattr(source, "shape", ())) == 4:
        return list(read_images(source, "frames", drop_alpha)[0])
    if is_video(source):
        return list(read_padded_video(source, num_frames)[0])
    return read_image(source, drop_alpha=drop_alpha)


def _read_each(videos, num_frames, name):
    for index, video in enumerate(videos):
        try:
            yield list(read_padded_video(video, num_frames)[0])
        except (TypeError, ValueError) as error:
            raise type(error)(f"`{name}[{index}]`: {error}") from error


def _is_single(videos):
    if isinstance(videos, (str, bytes, bytearray, memoryview, os.PathLike)):
        return True
    if getattr(getattr(videos, "dtype", None), "kind", None) in ("O", "S", "U", "T"):
        return np.ndim(videos) == 0
    if hasattr(videos, "shape"):
        return len(videos.shape) == 4
    return hasattr(videos, "read")


def _iterate(videos):
    if not hasattr(videos, "element_spec"):
        yield from videos
        return
    for element in videos.as_numpy_iterator():
        element = element[0] if isinstance(element, tuple) else element
        element = element["images"] if isinstance(element, dict) else element
        yield from element


def is_video(source):
    """Returns whether a path, bytes or binary file is a video rather than an image.

    Folders of images and animations of several frames are videos.
    """
    if isinstance(source, (str, os.PathLike)) and not os.path.isfile(source):
        return os.path.isdir(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        head = bytes(source[:16])
    elif isinstance(source, (str, os.PathLike)) or hasattr(source, "seek"):
        head = read_head(source)
    else:
        return False
    if head.startswith((b"GIF8", b"RIFF")) and identify_image(source) in ("GIF", "WEBP"):
        return open_video(source, skip_corrupt=True).num_frames > 1
    kind, _ = identify_file(head) or ("", "")
    return "video" in kind
