"""The first step of exported graphs: from image files to preprocessed images."""

from keras_mmfusion.datasets.images.decoding.decode_image_tensor import decode_image_tensors
from keras_mmfusion.datasets.images.transparency import drops_alpha


def decode_preprocessed_images(image_bytes, preprocessor):
    """Decodes image files and preprocesses them as `generate_preprocess` does.

    Args:
        image_bytes: string tensor `(batch,)`, the contents of the files; or `(batch, frames)`,
            those of the frames of videos.
        preprocessor: has an `image_size` and `generate_preprocess`.

    Returns:
        The images, float32 `(batch, height, width, 3)`, or videos `(batch, frames, height, width,
        3)`; and the error codes, int32 `(batch,)`, see `decode_image_tensors`. The code of a video
        is the largest of its frames.
    """
    import tensorflow as tf

    frames = tuple(image_bytes.shape[1:])
    images, codes = decode_image_tensors(
        tf.reshape(image_bytes, [-1]),
        lambda image: preprocessor.generate_preprocess(image[None])[0],
        preprocessor.image_size,
        drop_alpha=drops_alpha(preprocessor),
    )
    if not frames:
        return images, codes
    images = tf.reshape(images, (-1, *frames, *images.shape[1:]))
    return images, tf.reduce_max(tf.reshape(codes, (-1, *frames)), axis=1)
