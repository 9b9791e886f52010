"""The sampled frames of a video."""

import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr


@dataclasses.dataclass(frozen=True, repr=False)
class Video:
    """The sampled frames of a video; see `read_video`.

    Args:
        frames: uint8 array `(frames, height, width, 3)`, RGB.
        times: float64 array `(frames,)`, the time of each frame in seconds; NaN if unknown.
        num_skipped: int. The number of sampled frames that could not be read.
    """

    frames: np.ndarray
    times: np.ndarray
    num_skipped: int = 0

    def __len__(self):
        return len(self.frames)

    def __repr__(self):
        size = "x".join(map(str, self.frames.shape[1:3]))
        return short_repr(self, frames=len(self), size=size, skipped=self.num_skipped)
