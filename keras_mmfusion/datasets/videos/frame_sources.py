"""Videos that are sequences of images: arrays, lists and folders of frames, and animations.

A source has `name`, `num_frames`, `times` (increasing, in seconds), `key_frames` (indices), and
`read(indices)`, which yields a tuple `(time, frame)` for each of the increasing indices; the frame
is a uint8 array `(height, width, 3)`, or the `ValueError` of one that cannot be read.
"""

import contextlib
import functools
import os
import re

import numpy as np
from PIL import Image

from keras_mmfusion.datasets.images.image_array import convert_to_8_bits
from keras_mmfusion.datasets.images.read_image import read_image

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


class FrameList:
    """A list of images, each as for `read_image`, or an array of them.

    Args:
        frames: list of images, or array `(frames, height, width, channels)`.
        name: string. The name of the video in error messages.
        frame_rate: float or `None`. Frames per second.
        max_pixels: int. See `read_image`.
    """

    def __init__(self, frames, name, frame_rate, max_pixels):
        self.frames, self.name, self.frame_rate = frames, name, frame_rate
        self.num_frames, self.max_pixels = len(frames), max_pixels

    @property
    def times(self):
        if self.frame_rate is None:
            raise ValueError(
                f"{self.name} has no times. Pass its `frame_rate`, in frames per second, or sample "
                "with `UniformFrames`."
            )
        return np.arange(self.num_frames) / self.frame_rate

    @property
    def key_frames(self):
        raise _make_key_frame_error(self.name)

    def read(self, indices):
        for index in indices:
            time = np.nan if self.frame_rate is None else index / self.frame_rate
            yield time, read_frame(self.frames[index], self.name, index, self.max_pixels)


class AnimationFile:
    """An animated GIF or WebP file, decoded one frame after the other.

    Args:
        file: path or binary file.
        name: string. The name of the video in error messages.
        max_pixels: int. See `read_image`.
        skip_corrupt: bool. Whether to use what is there of a truncated file.
    """

    def __init__(self, file, name, max_pixels, skip_corrupt):
        self.file, self.name, self.max_pixels = file, name, max_pixels
        self.num_frames, error = self._count_frames()
        if error is not None and not (self.num_frames and skip_corrupt):
            raise ValueError(f"{name} is damaged or truncated: {error}") from error

    def _count_frames(self):
        """Returns the number of frames, and the error of the first one that cannot be reached."""
        try:
            with self._open() as image:
                return getattr(image, "n_frames", 1), None
        except Exception as error:  # The decoders raise many types of exceptions.
            return self._count_reachable(), error

    def _count_reachable(self):
        count = 0
        with contextlib.suppress(Exception), self._open() as image:
            while True:
                image.seek(count)
                count += 1
        return count

    def _open(self):
        if hasattr(self.file, "seek"):
            self.file.seek(0)
        return Image.open(self.file)

    @functools.cached_property
    def times(self):
        return np.array([time for time, _ in self._iterate(self.num_frames, ())])

    @property
    def key_frames(self):
        raise _make_key_frame_error(self.name)

    def read(self, indices):
        wanted = set(map(int, indices))
        for index, each in enumerate(self._iterate(max(wanted) + 1, wanted)):
            if index in wanted:
                yield each

    def _iterate(self, count, wanted):
        """Yields the time of each of the first frames, and its pixels if it is wanted."""
        time = 0.0
        with self._open() as image:
            for index in range(count):
                frame = self._decode(image, index, index in wanted)
                yield time, frame
                # Browsers show frames without a duration for a tenth of a second.
                time += (image.info.get("duration") or 100) / 1000

    def _decode(self, image, index, is_wanted):
        try:
            image.seek(index)
            image.load()
        except Exception as error:
            return ValueError(f"Frame {index} of {self.name} is damaged or truncated: {error}")
        return read_frame(image, self.name, index, self.max_pixels) if is_wanted else None


def read_frame(image, name, index, max_pixels):
    """Reads an image as a frame; returns its error, with the index of the frame, if it fails."""
    try:
        return read_image(image, max_pixels=max_pixels)
    except ValueError as error:
        return ValueError(f"Frame {index} of {name}: {error}")


def convert_array(array, name):
    """Converts an array or tensor to `(frames, height, width, channels)` of 8 bits.

    The range of floats is that of the whole video, since a dark frame has small values only.
    """
    if hasattr(array, "detach"):  # PyTorch only converts CPU tensors without gradients.
        array = array.detach().cpu()
        array = array.float() if array.is_floating_point() else array
    array = np.asarray(array)
    if array.ndim != 4 or array.shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"{name} must have the shape (frames, height, width, channels) with 1, 3 or 4 "
            f"channels. Received shape: {array.shape}"
        )
    return convert_to_8_bits(array, name) if array.size else array.astype("uint8")


def list_frame_files(folder):
    """Returns the paths of the images in a folder; `frame2.jpg` precedes `frame10.jpg`."""
    names = [
        name
        for name in os.listdir(folder)
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    ]
    return [os.path.join(folder, name) for name in sorted(names, key=_split_numbers)]


def _split_numbers(name):
    parts = re.split(r"(\d+)", name)
    return [int(part) if part.isdecimal() else part for part in parts], name


def _make_key_frame_error(name):
    return ValueError(
        f"{name} has no key frames, which only video files such as MP4 have. Sample with "
        "`UniformFrames` or `FramesPerSecond`."
    )
