"""Video files such as MP4 and WebM, read by PyAV: see `frame_sources`."""

import array
import contextlib
import math

import numpy as np

from keras_mmfusion._extras import require_extra

# The formats whose header has the exact duration, so that a shorter file is truncated.
_EXACT_DURATIONS = ("mov", "matroska")
_TOLERANCE = 0.5  # Seconds.


class VideoFile:
    """A video file of which only the sampled frames are kept in memory.

    The constructor reads the time of each frame without decoding. `read` seeks the last key frame
    before a sampled frame and decodes from there. Frames are upright.

    Args:
        file: path or binary file.
        name: string. The name of the video in error messages.
        max_pixels: int. Videos with larger frames are rejected.
        skip_corrupt: bool. Whether to use what is there of a truncated file.
    """

    def __init__(self, file, name, max_pixels, skip_corrupt):
        require_extra("video", "Reading video files", "av")
        self.file, self.name = file, name
        with self._open() as container:
            stream = container.streams.video[0]
            self._check_size(stream, max_pixels)
            is_complete = self._index(container, stream)
        if not self.num_frames:
            raise ValueError(f"{name} contains no frames. Write or download it again.")
        if not is_complete and not skip_corrupt:
            raise ValueError(
                f"{name} is truncated: it ends after frame {self.num_frames}, at "
                f"{self.times[-1]:.1f} s. Download it again, or pass `skip_corrupt=True` to sample "
                "the frames that are there."
            )

    @contextlib.contextmanager
    def _open(self):
        """Opens the file; errors of FFmpeg in the `with` block become errors that name it."""
        import av

        if hasattr(self.file, "seek"):
            self.file.seek(0)
        try:
            with av.open(self.file, metadata_errors="ignore") as container:
                if not container.streams.video:
                    kind = "only audio" if container.streams.audio else "and is probably truncated"
                    raise ValueError(
                        f"{self.name} has no video stream, {kind}. Pass a complete video file."
                    )
                yield container
        except (av.error.FFmpegError, UnicodeError) as error:
            raise ValueError(
                f"{self.name} is damaged, truncated or not a video that FFmpeg reads: {error}. "
                "Download it again, or convert it with `ffmpeg -i FILE out.mp4`."
            ) from error

    def _check_size(self, stream, max_pixels):
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > max_pixels:
            raise ValueError(
                f"{self.name} has frames of {width} x {height} pixels, more than "
                f"`max_pixels={max_pixels}`. Shrink it, or pass a larger `max_pixels`."
            )

    def _index(self, container, stream):
        """Reads the time stamps of all frames; returns whether the file is complete."""
        import av

        stamps, keys = array.array("q"), array.array("q")
        end, is_complete = 0.0, True
        try:
            for packet in container.demux():
                stamp = packet.dts if packet.pts is None else packet.pts
                if stamp is None:
                    continue
                end = max(end, float((stamp + (packet.duration or 0)) * packet.time_base))
                is_complete = not packet.is_corrupt
                if packet.stream_index == stream.index and is_complete and not packet.is_discard:
                    stamps.append(stamp)
                    if packet.is_keyframe:
                        keys.append(stamp)
        except av.error.FFmpegError:
            is_complete = False
        if any(name in container.format.name for name in _EXACT_DURATIONS):
            start, length = (container.start_time or 0) / 1e6, (container.duration or 0) / 1e6
            is_complete &= end > start + length - _TOLERANCE
        self._stamps, self._keys = np.unique(stamps), np.unique(keys)
        self.num_frames = len(self._stamps)
        self._time_base = float(stream.time_base)
        return is_complete

    @property
    def times(self):
        return self._stamps * self._time_base

    @property
    def key_frames(self):
        return np.searchsorted(self._stamps, self._keys)

    def read(self, indices):
        with self._open() as container:
            stream = container.streams.video[0]
            frames, frame, position = iter(()), None, -math.inf
            for index in indices:
                target = self._stamps[index]
                key = self._find_key(target)
                if key > position:
                    container.seek(int(key), stream=stream)
                    frames, frame = _decode(container, stream), None
                if frame is None or _get_stamp(frame) < target:
                    frame = next((each for each in frames if _get_stamp(each) >= target), None)
                    position = key if frame is None else _get_stamp(frame)
                time = target * self._time_base
                is_readable = frame is not None and _get_stamp(frame) == target
                if is_readable and not frame.is_corrupt:
                    yield time, _to_pixels(frame)
                else:
                    yield time, self._make_error(index, time)

    def _make_error(self, index, time):
        return ValueError(
            f"Frame {index} of {self.name}, at {time:.2f} s, is damaged. Pass `skip_corrupt=True` "
            "to leave out frames that cannot be read."
        )

    def _find_key(self, stamp):
        """Returns the time stamp of the last key frame before a frame, or of the first one."""
        before = np.searchsorted(self._keys, stamp, side="right") - 1
        return self._keys[before] if before >= 0 else self._stamps[0]


def _decode(container, stream):
    """Yields decoded frames; packets that the decoder rejects have none."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):
            return
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            continue
        yield from (frame for frame in frames if _get_stamp(frame) is not None)


def _get_stamp(frame):
    return frame.dts if frame.pts is None else frame.pts


def _to_pixels(frame):
    """Converts a decoded frame to upright 8-bit RGB."""
    pixels = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    return np.ascontiguousarray(pixels)
