import io
import struct

import numpy as np
import pytest
from photos import photo
from PIL import Image

from keras_mmfusion.datasets.decode_image_tensor import (
    DAMAGED,
    EMPTY,
    NOT_AN_IMAGE,
    OK,
    TOO_LARGE,
    decode_image_tensors,
)
from keras_mmfusion.datasets.exif_orientation import exif_orientation
from keras_mmfusion.datasets.read_image import read_image

tf = pytest.importorskip("tensorflow")

SIZE = (12, 16)
ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def decode():
    """Files to arrays of `SIZE` and codes, in a graph: what has another size is cut or padded."""

    def convert(image):
        return tf.image.resize_with_crop_or_pad(tf.cast(image, "float32"), *SIZE)

    @tf.function(input_signature=[tf.TensorSpec((None,), "string")])
    def function(contents):
        return decode_image_tensors(contents, convert, SIZE, max_pixels=1000)

    return lambda contents: [x.numpy() for x in function(tf.constant(contents, "string"))]


def encoded(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def rotated(orientation, endian="<"):
    """A JPEG file whose EXIF header asks for an orientation."""
    exif = Image.Exif()
    exif.endian = endian
    exif[0x010F] = "a camera"
    exif[ORIENTATION] = orientation
    sides = SIZE if orientation <= 4 else SIZE[::-1]
    return encoded(Image.fromarray(photo(*sides)), "JPEG", quality=95, exif=exif.tobytes())


PICTURE = Image.fromarray(photo(*SIZE))


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "JPEG", "WEBP"])
def test_formats_are_read_as_read_image_does(decode, format):
    content = encoded(PICTURE, format, **({"lossless": True} if format == "WEBP" else {}))
    (image,), (code,) = decode([content])
    assert code == OK
    # The decoders of JPEG are two builds of one library, whose rounding may differ.
    atol = 3 if format == "JPEG" else 0
    np.testing.assert_allclose(image, read_image(content), atol=atol)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK"])
def test_modes_are_read_as_read_image_does(decode, mode):
    picture = PICTURE.convert(mode)
    if mode in ("LA", "RGBA"):
        picture.putalpha(Image.fromarray(photo(*SIZE)[..., 1]))
    content = encoded(picture, "JPEG" if mode == "CMYK" else "PNG")
    (image,), (code,) = decode([content])
    assert code == OK
    np.testing.assert_allclose(image, read_image(content), atol=3 if mode == "CMYK" else 0)


def test_webp_with_losses_and_with_a_header(decode):
    files = [encoded(PICTURE, "WEBP"), encoded(PICTURE, "WEBP", exif=Image.Exif().tobytes())]
    images, codes = decode(files)
    assert codes.tolist() == [OK, OK]
    for image, content in zip(images, files, strict=True):
        np.testing.assert_allclose(image, read_image(content), atol=12)


def test_animations(decode):
    frames = [Image.new("RGB", SIZE[::-1], color) for color in ("red", "blue")]
    files = [
        encoded(frames[0], format, save_all=True, append_images=frames[1:])
        for format in ("GIF", "WEBP")
    ]
    (gif, _), codes = decode(files)
    assert codes.tolist() == [OK, NOT_AN_IMAGE]
    np.testing.assert_array_equal(gif[0, 0], (255, 0, 0))


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotation(decode, orientation, endian):
    content = rotated(orientation, endian)
    assert int(exif_orientation(tf.constant(content))) == orientation
    (image,), (code,) = decode([content])
    assert code == OK
    np.testing.assert_allclose(image, read_image(content), atol=3)


@pytest.mark.parametrize("orientation", [0, 9, 4096])
def test_an_orientation_that_there_is_not(orientation):
    assert int(exif_orientation(tf.constant(rotated(orientation)))) == 1


def test_damaged_exif_headers_end():
    content = rotated(6)
    rng = np.random.default_rng(0)
    graph = tf.function(exif_orientation, input_signature=[tf.TensorSpec((), "string")])
    for length in range(0, 120, 5):
        assert 1 <= int(graph(content[:length])) <= 8
    for _ in range(100):
        damaged = bytearray(content[:120])
        for place in rng.integers(2, 120, size=4):
            damaged[place] = rng.integers(256)
        assert 1 <= int(graph(bytes(damaged))) <= 8


def bombs():
    """Headers alone, of pictures with 60,000 columns and rows."""
    side = 60000
    jpeg = bytearray(encoded(PICTURE, "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    png = bytearray(encoded(PICTURE, "PNG"))
    png[16:24] = struct.pack(">II", side, side)
    gif = bytearray(encoded(PICTURE, "GIF"))
    gif[6:10] = struct.pack("<HH", side, side)
    bmp = bytearray(encoded(PICTURE, "BMP"))
    bmp[18:26] = struct.pack("<ii", side, -side)
    lossy = bytearray(encoded(PICTURE, "WEBP"))
    lossy[26:30] = struct.pack("<HH", 16000, 16000)
    lossless = bytearray(encoded(PICTURE, "WEBP", lossless=True))
    lossless[21:25] = struct.pack("<I", 15999 + (15999 << 14))
    extended = bytearray(encoded(PICTURE, "WEBP", exif=Image.Exif().tobytes() + b"    "))
    extended[24:30] = b"\x00\x00\x10" * 2
    return [bytes(each) for each in (jpeg, png, gif, bmp, lossy, lossless, extended)]


def test_bombs_are_seen_by_their_headers(decode):
    _, codes = decode(bombs())
    assert codes.tolist() == [TOO_LARGE] * 7


def test_one_bad_file_does_not_touch_the_others(decode):
    good = encoded(PICTURE)
    jpeg = encoded(PICTURE, "JPEG")
    files = [good, b"", b"no image", good[:60], jpeg[:20], b"\xff\xd8\xff", bombs()[1], good]
    images, codes = decode(files)
    assert codes.tolist() == [
        OK,
        EMPTY,
        NOT_AN_IMAGE,
        DAMAGED,
        DAMAGED,
        DAMAGED,
        TOO_LARGE,
        OK,
    ]
    np.testing.assert_array_equal(images[[0, -1]], [read_image(good)] * 2)
    assert not images[1:-1].any()


def test_damaged_files_never_fail_the_batch(decode):
    rng = np.random.default_rng(1)
    files = []
    for format in ("PNG", "JPEG", "GIF", "BMP", "WEBP"):
        content = encoded(PICTURE, format)
        for _ in range(40):
            damaged = bytearray(content)
            for place in rng.integers(len(content), size=3):
                damaged[place] = rng.integers(256)
            files.append(bytes(damaged[: rng.integers(1, len(content) + 1)]))
    images, codes = decode(files)
    assert set(codes.tolist()) <= {OK, NOT_AN_IMAGE, TOO_LARGE, DAMAGED}
    assert np.isfinite(images).all()


def test_a_batch_of_none(decode):
    images, codes = decode([])
    assert images.shape == (0, *SIZE, 3)
    assert codes.shape == (0,)
