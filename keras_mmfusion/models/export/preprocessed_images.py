"""The first step of exported graphs: from image files to preprocessed images."""

from keras_mmfusion.datasets.images.decoding.decode_image_tensor import decode_image_tensors
from keras_mmfusion.datasets.images.transparency import drops_alpha


def decode_preprocessed_images(image_bytes, preprocessor):
    """Decodes image files and preprocesses them as `generate_preprocess` does.

    Args:
        image_bytes: string tensor `(batch,)`, the contents of the files.
        preprocessor: has an `image_size` and `generate_preprocess`.

    Returns:
        The images and the error codes; see `decode_image_tensors`.
    """
    return decode_image_tensors(
        image_bytes,
        lambda image: preprocessor.generate_preprocess(image[None])[0],
        preprocessor.image_size,
        drop_alpha=drops_alpha(preprocessor),
    )
