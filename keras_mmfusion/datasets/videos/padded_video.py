"""Videos with a fixed number of frames."""

import numpy as np

from keras_mmfusion.datasets.videos.frame_sampling import UniformFrames
from keras_mmfusion.datasets.videos.read_video import read_video


def read_padded_video(source, num_frames, **settings):
    """Reads `num_frames` frames that are spread evenly over a video.

    Shorter videos are padded by repeating their last frame.

    Args:
        source: see `read_video`.
        num_frames: int.
        **settings: see `read_video`.

    Returns:
        A tuple of the frames, uint8 `(num_frames, height, width, 3)`; their mask, bool
        `(num_frames,)`, `False` for repeated frames; and the number of frames that could not be
        read.
    """
    video = read_video(source, UniformFrames(num_frames), **settings)
    missing = num_frames - len(video)
    frames = np.concatenate([video.frames, np.repeat(video.frames[-1:], missing, axis=0)])
    return frames, np.arange(num_frames) < len(video), video.num_skipped
