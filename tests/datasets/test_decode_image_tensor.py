import struct

import numpy as np
import pytest
from image_variants import encode, exif, image_files
from photos import photo
from PIL import Image

from keras_mmfusion.datasets.images.decoding.decode_image_tensor import (
    DAMAGED,
    EMPTY,
    NOT_AN_IMAGE,
    OK,
    TOO_LARGE,
    UNSUPPORTED,
    decode_image_tensors,
)
from keras_mmfusion.datasets.images.decoding.exif_orientation import read_exif_orientation
from keras_mmfusion.datasets.images.decoding.white_background import blend_with_white
from keras_mmfusion.datasets.images.image_resizing import resize_image_tensor
from keras_mmfusion.datasets.images.load_image_tensor import load_image_tensor
from keras_mmfusion.datasets.images.read_image import read_image

tf = pytest.importorskip("tensorflow")

SIZE = (24, 24)
# The files of `image_files` that are not decoded, by the prefix of their names.
REJECTED = {
    "bmp masks RGBA behind": UNSUPPORTED,
    "bmp masks odd": UNSUPPORTED,
    "bmp runs": UNSUPPORTED,
    "bmp cut": DAMAGED,
    "gif cut": DAMAGED,
    "gif frame smaller": UNSUPPORTED,
    "gif clear frame smaller": UNSUPPORTED,
    "webp animated": UNSUPPORTED,
    "webp cut": DAMAGED,
    "jpeg CMYK without Adobe": UNSUPPORTED,
    "jpeg cut": DAMAGED,
    "tiff": NOT_AN_IMAGE,
    "ppm": NOT_AN_IMAGE,
    "ico": NOT_AN_IMAGE,
    "tga": NOT_AN_IMAGE,
    "jpeg 2000": NOT_AN_IMAGE,
    "avif": NOT_AN_IMAGE,
    "text": NOT_AN_IMAGE,
    "empty": EMPTY,
}
EXCEPTION = "gif cut in the second frame"


def pad(image):
    return tf.image.resize_with_crop_or_pad(tf.cast(image, "float32"), *SIZE)


@pytest.fixture(scope="module")
def decode():
    """Decodes files in a graph to images that are cropped or padded to `SIZE`, and error codes."""

    @tf.function(input_signature=[tf.TensorSpec((None,), "string")])
    def function(contents):
        return decode_image_tensors(contents, pad, SIZE, max_pixels=1000)

    return lambda contents: [x.numpy() for x in function(tf.constant(contents, "string"))]


IMAGE = Image.fromarray(photo(12, 16))


def test_every_variant_matches_read_image_or_is_rejected(decode):
    files = image_files()
    images, codes = decode(list(files.values()))
    for (name, content), image, code in zip(files.items(), images, codes, strict=True):
        errors = [code for prefix, code in REJECTED.items() if name.startswith(prefix)]
        if errors and name != EXCEPTION:
            assert code == errors[0], name
            assert not image.any(), name
            continue
        assert code == OK, name
        expected = pad(read_image(content))
        # TensorFlow and Pillow use different builds of the JPEG library, which may round
        # differently.
        atol = 3 if name.startswith("jpeg") else 0
        np.testing.assert_allclose(image, expected, atol=atol, err_msg=name)


def test_ignored_transparency_matches_read_image():
    expected = {}
    for name, content in image_files().items():
        if not name.startswith(tuple(REJECTED)):
            opaque = read_image(content, drop_alpha=True)
            if (opaque != read_image(content)).any():
                expected[content] = pad(opaque)
    assert {content[:2] for content in expected} == {b"\x89P", b"GI", b"RI", b"BM"}

    @tf.function
    def decode(contents):
        return decode_image_tensors(contents, pad, SIZE, drop_alpha=True)

    images, codes = decode(tf.constant(list(expected), "string"))
    assert (codes.numpy() == OK).all()
    np.testing.assert_array_equal(images, np.stack(list(expected.values())))


def test_blending_with_white_matches_pillow_for_all_alpha_values():
    colors, alphas = np.meshgrid(np.arange(256), np.arange(256))
    image = np.stack([colors, colors, colors, alphas], axis=-1).astype("uint8")

    np.testing.assert_array_equal(blend_with_white(image), read_image(image))


def test_damaged_exif_data_gives_a_bounded_orientation():
    content = exif(6)
    rng = np.random.default_rng(0)
    orientation = tf.function(read_exif_orientation, input_signature=[tf.TensorSpec((), "string")])

    assert int(orientation(content)) == 6
    for length in range(0, len(content), 3):
        assert int(orientation(content[:length])) in (-1, 6, 0)
    for _ in range(100):
        damaged = bytearray(content)
        for index in rng.integers(len(content), size=4):
            damaged[index] = rng.integers(256)
        assert -1 <= int(orientation(bytes(damaged))) < 2**16


def decompression_bombs():
    """Returns files whose headers claim up to 60,000 columns and rows."""
    side = 60000
    jpeg = bytearray(encode(IMAGE, "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    png = bytearray(encode(IMAGE, "PNG"))
    png[16:24] = struct.pack(">II", side, side)
    gif = bytearray(encode(IMAGE, "GIF"))
    frame = gif.index(b"\x2c\0\0\0\0")
    gif[6:10] = gif[frame + 5 : frame + 9] = struct.pack("<HH", side, side)
    bmp = bytearray(encode(IMAGE, "BMP"))
    bmp[18:26] = struct.pack("<ii", side, -side)
    lossy = bytearray(encode(IMAGE, "WEBP"))
    lossy[26:30] = struct.pack("<HH", 16000, 16000)
    lossless = bytearray(encode(IMAGE, "WEBP", lossless=True))
    lossless[21:25] = struct.pack("<I", 15999 + (15999 << 14))
    extended = bytearray(encode(IMAGE, "WEBP", exif=Image.Exif().tobytes() + b"    "))
    extended[24:30] = b"\x00\x00\x10" * 2
    return [bytes(each) for each in (jpeg, png, gif, bmp, lossy, lossless, extended)]


def test_decompression_bombs_are_detected_by_their_headers(decode):
    _, codes = decode(decompression_bombs())
    assert codes.tolist() == [TOO_LARGE] * 7


def test_invalid_files_do_not_affect_the_others(decode):
    good = encode(IMAGE)
    jpeg = encode(IMAGE, "JPEG")
    bomb = decompression_bombs()[1]
    files = [good, b"", b"no image", good[:60], jpeg[:20], b"\xff\xd8\xff", bomb, good]
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
    np.testing.assert_array_equal(images[[0, -1]], [pad(read_image(good))] * 2)
    assert not images[1:-1].any()


def test_damaged_files_never_fail_the_batch(decode):
    rng = np.random.default_rng(1)
    files = []
    for format in ("PNG", "JPEG", "GIF", "BMP", "WEBP"):
        content = encode(IMAGE, format)
        for _ in range(40):
            damaged = bytearray(content)
            for index in rng.integers(len(content), size=3):
                damaged[index] = rng.integers(256)
            files.append(bytes(damaged[: rng.integers(1, len(content) + 1)]))
    images, codes = decode(files)
    assert set(codes.tolist()) <= {OK, NOT_AN_IMAGE, TOO_LARGE, DAMAGED, UNSUPPORTED}
    assert np.isfinite(images).all()


def test_empty_batch_is_decoded(decode):
    images, codes = decode([])
    assert images.shape == (0, *SIZE, 3)
    assert codes.shape == (0,)


def test_load_image_tensor_matches_read_image(tmp_path):
    files = {
        name: content
        for name, content in image_files().items()
        if name.startswith("jpeg") and name != "jpeg cut"
    }
    paths = []
    for number, content in enumerate(files.values()):
        paths.append(str(tmp_path / f"{number}.jpg"))
        (tmp_path / f"{number}.jpg").write_bytes(content)
    images = tf.data.Dataset.from_tensor_slices(paths).map(lambda p: load_image_tensor(p, SIZE))
    for (name, content), image in zip(files.items(), images.as_numpy_iterator(), strict=True):
        expected = resize_image_tensor(read_image(content), SIZE)
        np.testing.assert_allclose(
            image.astype(int), expected.numpy().astype(int), atol=3, err_msg=name
        )
