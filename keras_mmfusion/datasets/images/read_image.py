"""Reads an image from a path, bytes, file, PIL image, array or tensor."""

import contextlib
import io
import os

import numpy as np
from PIL import Image, ImageOps

from keras_mmfusion.datasets.images.image_array import convert_to_8_bits, scale_16_bits
from keras_mmfusion.datasets.images.jpeg_reduction import reduce_jpeg
from keras_mmfusion.datasets.images.non_image_files import HEAD_BYTES, identify_file

# Pillow's own warning limit: a quarter of a gibibyte of 24-bit pixels.
MAX_PIXELS = 89_478_485
_SUBFILE_TYPE = 254  # TIFF 6.0, section 8: bit 0 denotes a reduced version of another image
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # TIFF 6.0, section 3
_16_BIT_FORMATS = ("PNG", "PPM")
# Layout of a PNG file -> conversion of the transparent color to the range of Pillow's pixels.
_TRANSPARENCY_SCALES = {
    "L;2": lambda value: value * 85,
    "L;4": lambda value: value * 17,
    "RGB;16B": lambda color: tuple(value >> 8 for value in color),
}


def read_image(source, max_pixels=MAX_PIXELS, drop_alpha=False, reduce_to=None):
    """Reads an image of any common type as 8-bit RGB.

    Files can have any format that Pillow reads. EXIF rotation is applied, only the first frame of
    an animation is read, and transparent pixels are blended with white, unless `drop_alpha`. Gray,
    palette, CMYK and 16-bit images are converted to 8-bit RGB. The white level of 16-bit images is
    always 65,535.

    Arrays and tensors must have the shape `(height, width)`, or `(height, width, channels)` with 1
    (gray), 3 (RGB) or 4 (RGBA) channels. The range of values depends on the dtype:

    | dtype | black to white |
    |---|---|
    | bool | `False` to `True` |
    | uint16 | 0 to 65,535 |
    | other integers | 0 to 255 |
    | floats, maximum at most 1 | 0 to 1 |
    | floats, maximum from 2 to 255 | 0 to 255 |

    Other values raise an error. PIL images of mode `"I"` (32-bit integers, without a defined white
    level) are treated as 16-bit images if they were read from a 16-bit file or have values above
    255, up to 65,535; otherwise they raise an error.

    Args:
        source: path (string or `os.PathLike`), encoded bytes, binary file (such as `io.BytesIO`;
            read from its start), PIL image, NumPy array, or TensorFlow, JAX or PyTorch tensor.
        max_pixels: int. Larger images are rejected before they are decoded.
        drop_alpha: bool. Whether to ignore transparency, as Pillow's `convert("RGB")` does.
        reduce_to: tuple of ints, `(height, width)`, or `None`. JPEG files of at least twice this
            size are decoded at 1/2, 1/4 or 1/8 of their size and resized to `reduce_to`. All
            other images keep their size.

    Returns:
        `np.uint8` array `(height, width, 3)`.

    Raises:
        ValueError: if the input is missing, empty, truncated, not an image, larger than
            `max_pixels`, or an array with an invalid shape, dtype or values. For common files that
            are not images (HEIC, PDF, videos, raw photos, web pages, ...), the message contains
            the format and a remedy.
        TypeError: if `source` has another type.

    Example:

    >>> import numpy as np
    >>> read_image(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    if isinstance(source, np.ndarray) and source.ndim == 0 and source.dtype.kind in "OSU":
        source = source.item()
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        name = f"the image of {len(data)} bytes"
        return _decode(io.BytesIO(data), name, max_pixels, drop_alpha, reduce_to)
    if hasattr(source, "read"):
        return _decode(*_open_file(source), max_pixels, drop_alpha, reduce_to)
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        if not os.path.isfile(path):
            raise ValueError(f"There is no image file {path!r}.")
        return _decode(path, f"the image file {path!r}", max_pixels, drop_alpha, reduce_to)
    if isinstance(source, Image.Image):
        return _convert(source, f"the PIL image {source!r}", max_pixels, drop_alpha)
    if hasattr(source, "__array__"):
        if hasattr(source, "detach"):  # PyTorch only converts CPU tensors without gradients
            source = source.detach().cpu()
            source = source.float() if source.is_floating_point() else source
        return _from_array(np.asarray(source), max_pixels, drop_alpha)
    raise TypeError(
        "`source` must be a path, encoded bytes, a binary file, a PIL image, an array or a tensor. "
        f"Received: {source!r:.80} ({type(source)})"
    )


def resize_image(image, image_size):
    """Resizes a uint8 array `(height, width, 3)` to `image_size`, `(height, width)`, bilinearly.

    Uses antialiasing when shrinking.
    """
    height, width = image_size
    if image.shape[:2] == (height, width):
        return image
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def _open_file(file):
    """Returns the content of an open file, from its start, and its name for error messages."""
    if getattr(file, "seekable", lambda: False)():
        file.seek(0)
    # Reading a text file would raise a decoding error.
    data = None if isinstance(file, io.TextIOBase) else file.read()
    if not isinstance(data, bytes):
        raise TypeError(f"`source` must be a binary file: open(path, 'rb'). Received: {file!r}")
    name = getattr(file, "name", None)
    if isinstance(name, str):
        return io.BytesIO(data), f"the image file {name!r}"
    return io.BytesIO(data), f"the {type(file).__name__} of {len(data)} bytes"


def _decode(file, name, max_pixels, drop_alpha, reduce_to):
    head = _read_head(file)
    with _convert_errors(name, head):
        image = Image.open(file)
    with image:
        return _convert(image, name, max_pixels, drop_alpha, head, reduce_to)


def _read_head(file):
    if isinstance(file, io.BytesIO):
        return file.getbuffer()[:HEAD_BYTES].tobytes()
    try:
        with open(file, "rb") as opened:
            return opened.read(HEAD_BYTES)
    except OSError as error:
        raise ValueError(f"The image file {file!r} cannot be read: {error.strerror}.") from error


@contextlib.contextmanager
def _convert_errors(name, head=None):
    """Converts Pillow's exceptions to errors that name the input."""
    try:
        yield
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValueError(f"{_capitalize(name)} is too large to decode: {error}") from error
    except Exception as error:  # The decoders raise many types of exceptions for damaged files.
        foreign = None if head is None else identify_file(head)
        if foreign is not None:
            kind, remedy = foreign
            raise ValueError(f"{_capitalize(name)} is {kind}. {remedy}.") from error
        if isinstance(error, Image.UnidentifiedImageError):
            raise ValueError(
                f"{_capitalize(name)} is not an image of a format that Pillow reads."
            ) from error
        raise ValueError(f"{_capitalize(name)} is damaged or truncated: {error}") from error


def _convert(image, name, max_pixels, drop_alpha=False, head=None, reduce_to=None):
    width, height = image.size
    _check_size(height, width, name, max_pixels)
    if image.format == "TIFF" and image.tag_v2.get(_SUBFILE_TYPE, 0) & 1:
        raise ValueError(
            f"{_capitalize(name)} starts with a thumbnail, like raw camera photos. Develop it to "
            "JPEG or PNG, for example with darktable."
        )
    tiles = getattr(image, "tile", None)  # only before the image is loaded
    layout = str(tiles[0].args) if tiles else None
    with _convert_errors(name, head):
        if reduce_to is not None:
            image = reduce_jpeg(image, reduce_to)
        image.load()
        upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        return _convert_16_bit_gray(upright, image, name, drop_alpha)
    if upright.mode == "F":
        return _from_array(np.asarray(upright), max_pixels)
    transparency = upright.info.get("transparency")
    if transparency is not None and layout in _TRANSPARENCY_SCALES:
        # Pillow compares the color in the bit depth of the file with 8-bit pixels.
        upright.info["transparency"] = _TRANSPARENCY_SCALES[layout](transparency)
    if upright.mode == "La":  # Pillow only converts this mode to LA.
        upright = upright.convert("LA")
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        if not drop_alpha:
            white = Image.new("RGBA", upright.size, "white")
            upright = Image.alpha_composite(white, upright)
    return np.array(upright.convert("RGB"))


def _convert_16_bit_gray(upright, image, name, drop_alpha):
    """Converts a 16-bit gray image, or a 32-bit one that can only be meant as 16 bits."""
    values = np.asarray(upright)
    minimum, maximum = int(values.min()), int(values.max())
    if minimum < 0 or maximum > 65535:
        raise ValueError(
            f"{_capitalize(name)} has values from {minimum} to {maximum}, outside the 16-bit range "
            "from 0 to 65535. Scale it to 8 bits."
        )
    if upright.mode == "I" and image.format not in _16_BIT_FORMATS and 0 < maximum <= 255:
        raise ValueError(
            f"{_capitalize(name)} has mode 'I' (32-bit integers) and no value above 255, so that "
            "8 or 16 bits may be meant. Convert it to mode 'L' or 'I;16'."
        )
    gray = scale_16_bits(values)
    if image.format == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        gray = 255 - gray  # Pillow inverts only 8-bit images.
    transparency = upright.info.get("transparency")
    if transparency is not None and not drop_alpha:
        gray = np.where(values == transparency, np.uint8(255), gray)
    return np.repeat(gray[..., np.newaxis], 3, axis=-1)


def _from_array(array, max_pixels, drop_alpha=False):
    name = f"the image array of shape {array.shape} and dtype {array.dtype}"
    is_gray = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] == 1)
    if not is_gray and (array.ndim != 3 or array.shape[-1] not in (3, 4)):
        raise ValueError(
            f"{_capitalize(name)} must be a single image, (height, width) or (height, width, "
            "channels) with 1, 3 or 4 channels."
        )
    _check_size(*array.shape[:2], name, max_pixels)
    array = convert_to_8_bits(array, _capitalize(name))
    if is_gray:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=-1)
    if array.shape[-1] == 4:
        return _convert(Image.fromarray(array), name, max_pixels, drop_alpha)
    return array


def _check_size(height, width, name, max_pixels):
    if not height or not width:
        raise ValueError(f"{_capitalize(name)} has no pixels.")
    if height * width > max_pixels:
        raise ValueError(
            f"{_capitalize(name)} has {width} x {height} pixels, more than "
            f"`max_pixels={max_pixels}`. Shrink it, or pass a larger `max_pixels`."
        )


def _capitalize(name):
    return name[0].upper() + name[1:]
