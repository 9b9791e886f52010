import functools
import itertools

import numpy as np
from keras import ops

from keras_mmfusion.datasets.images.read_image import read_image
from keras_mmfusion.datasets.images.read_images import pair_with_images, read_images
from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.datasets.videos.read_videos import read_image_or_video, read_videos


def preprocess_images(images, prompt, preprocessor, batch_size, num_frames=None, only_videos=False):
    """Preprocesses the images passed to `generate` batch by batch, as the batches are needed.

    Args:
        images: one image or several, see `read_images`.
        prompt: ids of the prompt of all captions; or a list with the ids for each image, or for
            each of several captions of one image.
        preprocessor: `CaptioningPreprocessor`.
        batch_size: int.
        num_frames: int or `None`. The number of frames that are read of a video; `None` if
            videos are not accepted. See `read_image_or_video`.
        only_videos: bool. Whether all inputs are videos; see `read_videos`.

    Returns:
        An iterator over tuples of a float32 array `(batch, height, width, 3)` and the prompt of
        each row, and a bool: whether there is one image and one prompt.
    """
    if only_videos:
        arrays, single = read_videos(images, num_frames)
    else:
        read = read_image
        if num_frames is not None:
            read = functools.partial(read_image_or_video, num_frames=num_frames)
        arrays, single = read_images(images, drop_alpha=drops_alpha(preprocessor), read=read)
    if not isinstance(prompt, list):
        return _make_batches(
            zip(arrays, itertools.repeat(prompt)), preprocessor, batch_size
        ), single
    if single:
        arrays = itertools.repeat(next(arrays), len(prompt))
    return _make_batches(
        pair_with_images(arrays, prompt, "prompt or question"), preprocessor, batch_size
    ), False


def _make_batches(rows, preprocessor, batch_size):
    while chunk := list(itertools.islice(rows, batch_size)):
        images, prompts = zip(*chunk, strict=True)
        images = [preprocess_image(image, preprocessor) for image in images]
        if len({image.shape for image in images}) > 1:
            raise ValueError(
                "The videos of a batch must have the same number of frames. Received videos of "
                f"{sorted({image.shape[1] for image in images})} frames"
            )
        yield np.concatenate(images), prompts


def preprocess_image(image, preprocessor):
    """Preprocesses an array `(height, width, 3)`, or a list of such frames of a video.

    Returns:
        A float32 array with a batch axis.
    """
    if isinstance(image, list):
        frames = [preprocess_image(frame, preprocessor) for frame in image]
        return np.concatenate(frames)[np.newaxis]
    image = preprocessor.generate_preprocess(image[np.newaxis])
    return np.asarray(ops.convert_to_numpy(image), "float32")
