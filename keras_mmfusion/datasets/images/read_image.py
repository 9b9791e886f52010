"""Any image a person may hand over, as one kind of array."""

import contextlib
import io
import os

import numpy as np
from PIL import Image, ImageOps

from keras_mmfusion.datasets.images.foreign_files import HEAD_BYTES, foreign_file
from keras_mmfusion.datasets.images.image_array import scaled_16_bits, to_8_bits

# Pillow's own warning limit: a quarter of a gibibyte of 24-bit pixels.
MAX_PIXELS = 89_478_485
_SUBFILE_TYPE = 254  # TIFF 6.0, section 8: bit 0 tells that a smaller version is of another image
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # TIFF 6.0, section 3
_FORMATS_OF_16_BITS = ("PNG", "PPM")
# Layouts of a PNG file -> the transparent color that Pillow read, as its pixels have it.
_CLEAR_SCALES = {
    "L;2": lambda value: value * 85,
    "L;4": lambda value: value * 17,
    "RGB;16B": lambda color: tuple(value >> 8 for value in color),
}


def read_image(source, max_pixels=MAX_PIXELS):
    """Reads an image of any common kind as 8-bit RGB.

    Files may be in any format that Pillow reads. EXIF rotation is applied; of an animation the
    first frame is taken; transparency is laid over white; gray, palette, CMYK and 16-bit images
    become 8-bit RGB. Whatever its values are, the white of a 16-bit image is 65,535.

    Arrays and tensors may be `(height, width)`, or `(height, width, channels)` with 1 (gray),
    3 (RGB) or 4 (RGBA) channels. Their type says what is white:

    | type | black to white |
    |---|---|
    | bool | `False` to `True` |
    | uint16 | 0 to 65,535 |
    | other integers | 0 to 255 |
    | floats, none larger than 1 | 0 to 1 |
    | floats, the largest from 2 to 255 | 0 to 255 |

    Other values are errors. So is a PIL image of mode `"I"` (32-bit integers, whose white is not
    defined) with no value above 255, unless it was read from a 16-bit file; with larger values,
    up to 65,535, it is of 16 bits.

    Args:
        source: path (string or `os.PathLike`), encoded bytes, binary file (such as `io.BytesIO`;
            read from its start), PIL image, or a NumPy array or a TensorFlow, JAX or PyTorch
            tensor.
        max_pixels: int. Larger images are refused before they are decoded.

    Returns:
        `np.uint8` array `(height, width, 3)`.

    Raises:
        ValueError: names the input, if it is missing, empty, truncated, not an image, larger than
            `max_pixels`, or an array of unfit shape, dtype or values. For files that often stand
            for images (HEIC, PDF, video, raw photos, web pages, ...) it names the format, and what
            to do.
        TypeError: if `source` is none of the above.

    Example:

    >>> import numpy as np
    >>> read_image(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    if isinstance(source, np.ndarray) and source.ndim == 0 and source.dtype.kind in "OSU":
        source = source.item()
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        return _decode(io.BytesIO(data), f"the image of {len(data)} bytes", max_pixels)
    if hasattr(source, "read"):
        return _decode(*_open_file(source), max_pixels)
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
        "`source` must be a path, encoded bytes, a binary file, a PIL image, an array or a tensor. "
        f"Received: {source!r:.80} ({type(source)})"
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


def _open_file(file):
    """What an open file holds, from its start, and its name."""
    if getattr(file, "seekable", lambda: False)():
        file.seek(0)
    # A text file would fail to decode the image before it gave a string.
    data = None if isinstance(file, io.TextIOBase) else file.read()
    if not isinstance(data, bytes):
        raise TypeError(f"`source` must be a binary file: open(path, 'rb'). Received: {file!r}")
    name = getattr(file, "name", None)
    known = f"the image file {name!r}" if isinstance(name, str) else f"the {type(file).__name__}"
    return io.BytesIO(data), known if isinstance(name, str) else f"{known} of {len(data)} bytes"


def _decode(file, name, max_pixels):
    head = _head(file)
    with _decoding(name, head):
        image = Image.open(file)
    with image:
        return _convert(image, name, max_pixels, head)


def _head(file):
    if isinstance(file, io.BytesIO):
        return file.getbuffer()[:HEAD_BYTES].tobytes()
    try:
        with open(file, "rb") as opened:
            return opened.read(HEAD_BYTES)
    except OSError as error:
        raise ValueError(f"The image file {file!r} cannot be read: {error.strerror}.") from error


@contextlib.contextmanager
def _decoding(name, head=None):
    """Turns what Pillow raises into errors that name the input."""
    try:
        yield
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValueError(f"{_sentence(name)} is too large to decode: {error}") from error
    except Exception as error:  # On damaged files its decoders raise almost anything.
        foreign = None if head is None else foreign_file(head)
        if foreign is not None:
            kind, remedy = foreign
            raise ValueError(f"{_sentence(name)} is {kind}. {remedy}.") from error
        if isinstance(error, Image.UnidentifiedImageError):
            raise ValueError(
                f"{_sentence(name)} is not an image of a format that Pillow reads."
            ) from error
        raise ValueError(f"{_sentence(name)} is damaged or truncated: {error}") from error


def _convert(image, name, max_pixels, head=None):
    width, height = image.size
    _check_size(height, width, name, max_pixels)
    if image.format == "TIFF" and image.tag_v2.get(_SUBFILE_TYPE, 0) & 1:
        raise ValueError(
            f"{_sentence(name)} begins with a thumbnail, as raw photos of cameras do. Develop it "
            "to JPEG or PNG, for example with darktable."
        )
    tiles = getattr(image, "tile", None)  # Of an opened file, until it is loaded.
    layout = str(tiles[0].args) if tiles else None
    with _decoding(name, head):
        image.load()
        upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        return _gray_of_16_bits(upright, image, name)
    if upright.mode == "F":
        return _from_array(np.asarray(upright), max_pixels)
    clear = upright.info.get("transparency")
    if clear is not None and layout in _CLEAR_SCALES:
        # Pillow compares the color as the file has it with pixels of 8 bits.
        upright.info["transparency"] = _CLEAR_SCALES[layout](clear)
    if upright.mode == "La":  # Pillow converts it to nothing else.
        upright = upright.convert("LA")
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    return np.array(upright.convert("RGB"))


def _gray_of_16_bits(upright, image, name):
    """The pixels of an image, turned upright, of 16 bits, or of 32 that can only mean 16."""
    values = np.asarray(upright)
    smallest, largest = int(values.min()), int(values.max())
    if smallest < 0 or largest > 65535:
        raise ValueError(
            f"{_sentence(name)} has values from {smallest} to {largest}, beyond the 0 to 65535 of "
            "16 bits. Scale it to 8 bits."
        )
    if upright.mode == "I" and image.format not in _FORMATS_OF_16_BITS and 0 < largest <= 255:
        raise ValueError(
            f"{_sentence(name)} has mode 'I', 32-bit integers, with no value above 255: it may be "
            "of 8 or of 16 bits. Convert it to mode 'L' or 'I;16'."
        )
    gray = scaled_16_bits(values)
    if image.format == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        gray = 255 - gray  # Pillow does so for 8 bits only.
    clear = upright.info.get("transparency")
    if clear is not None:
        gray = np.where(values == clear, np.uint8(255), gray)
    return np.repeat(gray[..., np.newaxis], 3, axis=-1)


def _from_array(array, max_pixels):
    name = f"the image array of shape {array.shape} and dtype {array.dtype}"
    gray = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] == 1)
    if not gray and (array.ndim != 3 or array.shape[-1] not in (3, 4)):
        raise ValueError(
            f"{_sentence(name)} must be of one image, (height, width) or (height, width, channels) "
            "with 1, 3 or 4 channels."
        )
    _check_size(*array.shape[:2], name, max_pixels)
    array = to_8_bits(array, _sentence(name))
    if gray:
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
