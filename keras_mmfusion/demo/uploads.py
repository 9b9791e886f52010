"""Reads uploaded images."""

import os

from keras_mmfusion.datasets.images.read_image import read_image


def read_upload(path, drop_alpha=False):
    """Reads an uploaded image.

    Args:
        path: string or `None`.
        drop_alpha: bool. See `read_image`.

    Returns:
        A uint8 array `(height, width, 3)`.

    Raises:
        ValueError: if there is no image or it cannot be read. The message contains the name of the
            file, not its path on the server.

    Example:

    >>> read_upload(None)
    Traceback (most recent call last):
    ...
    ValueError: There is no image. Upload or paste one, or select an example.
    """
    if path is None:
        raise ValueError("There is no image. Upload or paste one, or select an example.")
    try:
        return read_image(path, drop_alpha=drop_alpha)
    except ValueError as error:
        raise ValueError(str(error).replace(path, os.path.basename(path))) from error
