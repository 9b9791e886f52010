"""Any image a person may hand over, as one kind of array."""

import contextlib
import io
import os

import numpy as np
from PIL import Image, ImageOps

# Pillow's own warning limit: a quarter of a gibibyte of 24-bit pixels.
MAX_PIXELS = 89_478_485


def read_image(source, max_pixels=MAX_PIXELS):
    """Reads an image of any common kind as 8-bit RGB.

    Files may be in any format that Pillow reads. EXIF rotation is applied; of an animation the
    first frame is taken; transparency is laid over white; grey, palette, CMYK and 16-bit images
    become 8-bit RGB.

    Arrays and tensors may be `(height, width)`, or `(height, width, channels)` with 1 (grey),
    3 (RGB) or 4 (RGBA) channels. Integers must lie in 0 to 255. Floats must lie in 0 to 1 or in 0
    to 255, and are told apart by their largest value: up to 1 it is the first, beyond the second.

    Args:
        source: path (string or `os.PathLike`), encoded bytes, PIL image, or a NumPy array or a
            TensorFlow, JAX or PyTorch tensor.
        max_pixels: int. Larger images are refused before they are decoded.

    Returns:
        `np.uint8` array `(height, width, 3)`.

    Raises:
        ValueError: names the input, if it is missing, empty, truncated, not an image, larger than
            `max_pixels`, or an array of unfit shape, dtype or values.
        TypeError: if `source` is none of the above.

    Example:

    >>> import numpy as np
    >>> read_image(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        return _decode(io.BytesIO(data), f"the image of {len(data)} bytes", max_pixels)
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        if not os.path.isfile(path):
            raise ValueError(f"There is no image file {path!r}.")
        return _decode(path, f"the image file {path!r}", max_pixels)
    if isinstance(source, Image.Image):
        return _convert(source, f"the PIL image {source!r}", max_pixels)
    if hasattr(source, "__array__"):
        if hasattr(source, "detach"):  # PyTorch converts only plain tensors on the CPU
            source = source.detach().cpu()
            source = source.float() if source.is_floating_point() else source
        return _from_array(np.asarray(source), max_pixels)
    raise TypeError(
        "`source` must be a path, encoded bytes, a PIL image, an array or a tensor. "
        f"Received: {type(source)}"
    )


def resize_image(image, size):
    """Resizes a uint8 array `(height, width, 3)` to `size`, `(height, width)`, bilinearly.

    Shrinking averages over all the pixels that fall together (antialiasing).
    """
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def _decode(file, name, max_pixels):
    with _decoding(name):
        image = Image.open(file)
    with image:
        return _convert(image, name, max_pixels)


@contextlib.contextmanager
def _decoding(name):
    """Turns what Pillow raises into errors that name the input."""
    try:
        yield
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValueError(f"{_sentence(name)} is too large to decode: {error}") from error
    except Image.UnidentifiedImageError as error:
        raise ValueError(f"{_sentence(name)} is empty or not an image.") from error
    except Exception as error:  # On damaged files its decoders raise almost anything.
        raise ValueError(f"{_sentence(name)} is damaged or truncated: {error}") from error


def _convert(image, name, max_pixels):
    width, height = image.size
    _check_size(height, width, name, max_pixels)
    with _decoding(name):
        image.load()
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        # 16-bit and float images: Pillow's own conversion would clip them.
        values = np.asarray(image).astype("float64")
        if image.mode != "F" and values.max() > 255:
            values = np.clip(np.round(values / 257), 0, 255)
        return _from_array(values if values.max() <= 1 else np.round(values), max_pixels)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def _from_array(array, max_pixels):
    name = f"the image array of shape {array.shape} and dtype {array.dtype}"
    grey = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] == 1)
    if not grey and (array.ndim != 3 or array.shape[-1] not in (3, 4)):
        raise ValueError(
            f"{_sentence(name)} must be of one image, (height, width) or (height, width, channels) "
            "with 1, 3 or 4 channels."
        )
    _check_size(*array.shape[:2], name, max_pixels)
    is_float = array.dtype.name in ("float16", "bfloat16", "float32", "float64")
    if not is_float and array.dtype.kind not in "iu":
        raise ValueError(f"{_sentence(name)} must have integer or float values.")
    if is_float:
        array = array.astype("float32")
        if not np.isfinite(array).all():
            raise ValueError(f"{_sentence(name)} has values that are NaN or infinite.")
    smallest, largest = array.min(), array.max()
    if smallest < 0 or largest > 255:
        raise ValueError(
            f"{_sentence(name)} must have values from 0 to 255, or floats from 0 to 1. "
            f"Its values go from {smallest} to {largest}."
        )
    if is_float:
        array = np.round(array * 255 if largest <= 1 else array)
    array = array.astype("uint8")
    if grey:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=-1)
    if array.shape[-1] == 4:
        return _convert(Image.fromarray(array), name, max_pixels)
    return array


def _check_size(height, width, name, max_pixels):
    if not height or not width:
        raise ValueError(f"{_sentence(name)} has no pixels.")
    if height * width > max_pixels:
        raise ValueError(
            f"{_sentence(name)} has {width} x {height} pixels, more than "
            f"`max_pixels={max_pixels}`. Make it smaller, or pass a larger `max_pixels`."
        )


def _sentence(name):
    return name[0].upper() + name[1:]
