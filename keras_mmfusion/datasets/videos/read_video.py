"""Reads the sampled frames of a video of any type."""

import io
import os

import numpy as np
from PIL import Image

from keras_mmfusion._checks import check_positive
from keras_mmfusion.datasets.images.non_image_files import HEAD_BYTES
from keras_mmfusion.datasets.images.read_image import MAX_PIXELS, resize_image
from keras_mmfusion.datasets.videos.frame_sources import (
    AnimationFile,
    FrameList,
    convert_array,
    list_frame_files,
)
from keras_mmfusion.datasets.videos.video import Video
from keras_mmfusion.datasets.videos.video_file import VideoFile

_ANIMATIONS = ("GIF", "WEBP")


def read_video(
    source,
    sampling,
    image_size=None,
    frame_rate=None,
    skip_corrupt=False,
    max_pixels=MAX_PIXELS,
):
    """Reads the sampled frames of a video as 8-bit RGB.

    Memory contains the sampled frames only, however long a file is: with `image_size`, an hour
    needs as much as a minute.

    Args:
        source: one of:

            - an array or tensor `(frames, height, width, channels)`, with values as for an image
              (see the table of `datasets.images.read_image`);
            - a list of frames, each an image: a path, bytes, a PIL image, an array, ...;
            - the path of a folder of images, whose order is that of the numbers in their names;
            - a path, encoded bytes or binary file: an animated GIF or WebP, or a video that FFmpeg
              reads, such as MP4 or WebM. The latter require the extra `video`
              (`pip install 'keras-mmfusion[video]'`).
        sampling: `UniformFrames`, `FramesPerSecond` or `KeyFrames`.
        image_size: pair of ints, `(height, width)`, to which each frame is resized when it is
            read; `None` for the size of the video.
        frame_rate: float. The frames per second of an array, list or folder; files have their own.
        skip_corrupt: bool. Whether to leave out and count frames that cannot be read, and to accept
            truncated files, instead of raising an error.
        max_pixels: int. Larger frames are rejected before they are decoded.

    Returns:
        `Video` with `frames`, uint8 `(frames, height, width, 3)`, `times`, and `num_skipped`.

    Raises:
        MissingExtraError: for a video file if PyAV is not installed.
        TypeError: if `source` has another type.
        ValueError: if `source` is missing, damaged, truncated, not a video, or has no frames; if no
            sampled frame can be read; or if frames have different sizes and `image_size` is `None`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import UniformFrames, read_video
    >>> video = read_video(np.zeros((30, 48, 64, 3), "uint8"), UniformFrames(8), (24, 32))
    >>> video.frames.shape
    (8, 24, 32, 3)
    """
    if frame_rate is not None:
        check_positive(None, "frame_rate", frame_rate)
    if not hasattr(sampling, "select"):
        raise ValueError(
            "`sampling` must be `UniformFrames`, `FramesPerSecond` or `KeyFrames`. "
            f"Received: {sampling!r}"
        )
    opened = open_video(source, frame_rate, skip_corrupt, max_pixels)
    if not opened.num_frames:
        raise ValueError(f"{opened.name} contains no frames. Pass a video with at least one.")
    frames, times, errors = [], [], []
    for time, frame in opened.read(sampling.select(opened)):
        if isinstance(frame, ValueError):
            if not skip_corrupt:
                raise frame
            errors.append(frame)
            continue
        frames.append(frame if image_size is None else resize_image(frame, image_size))
        times.append(time)
    if not frames:
        raise ValueError(
            f"None of the {len(errors)} sampled frames of {opened.name} can be read. Write or "
            f"download it again. The first error: {errors[0]}"
        )
    _check_sizes(frames, opened.name)
    return Video(np.stack(frames), np.array(times, "float64"), len(errors))


def open_video(source, frame_rate=None, skip_corrupt=False, max_pixels=MAX_PIXELS):
    """Opens a video without reading frames; see `frame_sources` for the result."""
    if isinstance(source, np.ndarray) and source.ndim == 0 and source.dtype.kind in "OSU":
        source = source.item()
    if isinstance(source, (bytes, bytearray, memoryview)):
        name = f"The video of {len(source)} bytes"
        return _open_file(io.BytesIO(source), name, skip_corrupt, max_pixels)
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        if os.path.isdir(path):
            name = f"The folder {path!r}"
            return FrameList(list_frame_files(path), name, frame_rate, max_pixels)
        if not os.path.isfile(path):
            raise ValueError(f"There is no video file or folder {path!r}.")
        return _open_file(path, f"The video file {path!r}", skip_corrupt, max_pixels)
    if hasattr(source, "read"):
        return _open_file(source, f"The video {source!r:.80}", skip_corrupt, max_pixels)
    if isinstance(source, (list, tuple)):
        name = f"The video of {len(source)} images"
        return FrameList(list(source), name, frame_rate, max_pixels)
    if hasattr(source, "__array__"):
        name = f"The video array of shape {tuple(source.shape)}"
        return FrameList(convert_array(source, name), name, frame_rate, max_pixels)
    raise TypeError(
        "`source` must be an array or a list of frames, or the path, bytes or binary file of a "
        f"video. Received: {source!r:.80} ({type(source)})"
    )


def _open_file(file, name, skip_corrupt, max_pixels):
    if read_head(file) == b"":
        raise ValueError(f"{name} is empty. Write or download it again.")
    image_format = identify_image(file)
    if image_format in _ANIMATIONS:
        return AnimationFile(file, name, max_pixels, skip_corrupt)
    if image_format is not None:
        raise ValueError(
            f"{name} is an image ({image_format}), not a video. Pass a list of images as frames."
        )
    return VideoFile(file, name, max_pixels, skip_corrupt)


def identify_image(file):
    """Returns the format of an image file, such as `"GIF"`, or `None` for another file.

    Args:
        file: path, bytes or binary file.
    """
    opened = io.BytesIO(file) if isinstance(file, (bytes, bytearray, memoryview)) else file
    try:
        with Image.open(opened) as image:
            return image.format
    except Exception:  # Pillow's readers raise many types of exceptions for other files.
        head = read_head(opened)
        if head.startswith(b"GIF8"):
            return "GIF"
        return "WEBP" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def read_head(file):
    """Returns the first bytes of a path or binary file, which is then at its start."""
    if not hasattr(file, "seek"):
        with open(file, "rb") as opened:
            return opened.read(HEAD_BYTES)
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    return head


def _check_sizes(frames, name):
    sizes = sorted({frame.shape[:2] for frame in frames})
    if len(sizes) > 1:
        raise ValueError(
            f"The frames of {name[0].lower()}{name[1:]} have different sizes: {sizes[:3]}. Pass "
            "`image_size=(height, width)` to resize them."
        )
