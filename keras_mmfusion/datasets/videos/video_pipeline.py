"""`tf.data` pipeline of videos with captions, questions or other columns."""

import os

import numpy as np

from keras_mmfusion._checks import check_integer
from keras_mmfusion.datasets.io.string_lists import list_paths
from keras_mmfusion.datasets.videos.padded_video import read_padded_video


def video_dataset(
    videos,
    columns,
    num_frames,
    image_size,
    batch_size=8,
    shuffle=True,
    seed=0,
    cache=False,
    skip_corrupt=False,
):
    """Reads the sampled frames of videos in parallel and batches them with other columns.

    Frames are spread evenly over a video. Shorter videos are padded by repeating their last frame,
    which the mask excludes.

    Args:
        videos: list, array or pandas Series of paths of video files, animations, or folders of
            frames.
        columns: dict, name -> list or array with a value for each video, such as `{"captions":
            captions}`.
        num_frames: int. The number of frames of each video.
        image_size: tuple of ints, `(height, width)`.
        batch_size: int.
        shuffle: bool. Whether to visit the videos in a new random order each epoch.
        seed: int. The seed of the order.
        cache: bool. Whether to keep the sampled frames in memory after the first epoch.
        skip_corrupt: bool. See `read_video`.

    Returns:
        A `tf.data.Dataset` of dicts: the columns; `"images"`, uint8 `(batch, num_frames, height,
        width, 3)`; `"frame_mask"`, bool `(batch, num_frames)`; and `"num_skipped"`, int32
        `(batch,)`, the number of frames of each video that could not be read.

    Raises:
        ValueError: if there are no videos, a column has another length, or a file does not exist;
            while the data set is read, if a video cannot be read.
    """
    import tensorflow as tf

    videos, size = list_paths("videos", videos), tuple(image_size)
    check_integer("video_dataset", "num_frames", num_frames)
    lengths = {"videos": len(videos), **{name: len(values) for name, values in columns.items()}}
    if len(set(lengths.values())) > 1 or not videos:
        raise ValueError(
            "`videos` and `columns` must be of equal length and not empty. Received lengths: "
            f"{lengths}"
        )
    missing = [path for path in dict.fromkeys(videos) if not os.path.exists(path)]
    if missing:
        raise ValueError(
            f"`videos` contains {len(missing)} paths that do not exist: {missing[:3]!r:.300}"
        )

    def read(index):
        frames, mask, num_skipped = tf.numpy_function(
            lambda i: _read(videos[i], num_frames, size, skip_corrupt),
            [index],
            ("uint8", "bool", "int32"),
            stateful=False,
        )
        return index, {
            "images": tf.ensure_shape(frames, (num_frames, *size, 3)),
            "frame_mask": tf.ensure_shape(mask, (num_frames,)),
            "num_skipped": tf.ensure_shape(num_skipped, ()),
        }

    with tf.device("cpu"):
        columns = {name: tf.convert_to_tensor(values) for name, values in columns.items()}
    rows = tf.data.Dataset.range(len(videos))
    if shuffle and not cache:
        rows = rows.shuffle(len(videos), seed=seed)
    rows = rows.map(read, tf.data.AUTOTUNE)
    if cache:
        rows = rows.cache()
    if shuffle and cache:
        rows = rows.shuffle(len(videos), seed=seed)
    rows = rows.map(
        lambda i, row: {**row, **{name: tf.gather(x, i) for name, x in columns.items()}}
    )
    return rows.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def _read(path, num_frames, image_size, skip_corrupt):
    frames, mask, num_skipped = read_padded_video(
        path, num_frames, image_size=image_size, skip_corrupt=skip_corrupt
    )
    return frames, mask, np.int32(num_skipped)
