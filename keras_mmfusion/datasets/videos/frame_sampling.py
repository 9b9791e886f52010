"""Rules that select the frames of a video."""

import dataclasses

import numpy as np

from keras_mmfusion._checks import check_integer, check_positive


@dataclasses.dataclass(frozen=True)
class UniformFrames:
    """Selects a number of frames that are spread evenly over a video.

    Frame `i` is the middle one of the `i`-th of `count` parts of equal length. A video with fewer
    frames has all of them selected.

    Args:
        count: int.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import UniformFrames, read_video
    >>> video = np.arange(10, dtype="uint8")[:, None, None, None].repeat(3, axis=-1)
    >>> read_video(video, UniformFrames(5)).frames[:, 0, 0, 0].tolist()
    [1, 3, 5, 7, 9]
    """

    count: int

    def __post_init__(self):
        check_integer("UniformFrames", "count", self.count)

    def select(self, source):
        """Returns the increasing indices of the selected frames of an opened video."""
        return spread_evenly(source.num_frames, self.count)


@dataclasses.dataclass(frozen=True)
class FramesPerSecond:
    """Selects the frames that are shown at regular times.

    ```
    t_k = t_0 + k / rate,   k = 0, 1, ...        t_0: the time of the first frame
    ```

    No frame is selected twice. If a video is so long that more than `max_frames` frames would be
    selected, `max_frames` of them are, spread evenly.

    Args:
        rate: float. Frames per second.
        max_frames: int. Limits the memory that long videos use.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import FramesPerSecond, read_video
    >>> video = np.arange(10, dtype="uint8")[:, None, None, None].repeat(3, axis=-1)
    >>> read_video(video, FramesPerSecond(1), frame_rate=4).frames[:, 0, 0, 0].tolist()
    [0, 4, 8]
    """

    rate: float
    max_frames: int = 512

    def __post_init__(self):
        check_positive("FramesPerSecond", "rate", self.rate)
        check_integer("FramesPerSecond", "max_frames", self.max_frames)

    def select(self, source):
        """Returns the increasing indices of the selected frames of an opened video."""
        times = source.times
        # WebM rounds times to milliseconds.
        count = int((times[-1] - times[0] + 1e-3) * self.rate) + 1
        steps = spread_evenly(count, self.max_frames)
        shown_at = times[0] + steps / self.rate + 1e-3
        return np.unique(np.searchsorted(times, shown_at, side="right") - 1)


@dataclasses.dataclass(frozen=True)
class KeyFrames:
    """Selects the key frames of a video file, which are decoded without other frames.

    Encoders place them at regular intervals and where a new scene starts.

    Args:
        max_frames: int. If there are more key frames, `max_frames` of them are selected, spread
            evenly.
    """

    max_frames: int = 512

    def __post_init__(self):
        check_integer("KeyFrames", "max_frames", self.max_frames)

    def select(self, source):
        """Returns the increasing indices of the selected frames of an opened video."""
        keys = source.key_frames
        return keys[spread_evenly(len(keys), self.max_frames)]


def spread_evenly(total, count):
    """Returns at most `count` indices below `total`, the middle of each of `count` equal parts."""
    if total <= count:
        return np.arange(total)
    return (2 * np.arange(count, dtype="int64") + 1) * total // (2 * count)
