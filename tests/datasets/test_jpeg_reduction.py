"""Reduction of JPEG photos by their decoder."""

import numpy as np
import pytest
from image_variants import ORIENTATION, encode, jpeg_segment
from photos import photo
from PIL import Image

from keras_mmfusion.datasets import (
    CaptionPairs,
    CaptionSequence,
    QuestionAnswers,
    caption_dataset,
    question_dataset,
)
from keras_mmfusion.datasets.images.read_image import read_image, resize_image

SIZE = (20, 30)
# Size of the photo -> factor of the decoder for `SIZE`.
FACTORS = {
    (39, 200): 1,
    (40, 60): 2,
    (85, 119): 2,
    (100, 130): 4,
    (159, 600): 4,
    (160, 240): 8,
    (700, 600): 8,
}


def make_jpeg(size, mode="RGB", **options):
    return encode(Image.fromarray(photo(*size)).convert(mode), "JPEG", quality=95, **options)


def rotate(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


FILES = {
    "plain.jpg": make_jpeg((161, 243)),
    "odd.jpg": make_jpeg((101, 139)),
    "too_small.jpg": make_jpeg((39, 70)),
    "progressive.jpg": make_jpeg((100, 130), progressive=True),
    "gray.jpg": make_jpeg((100, 130), "L"),
    "cmyk.jpg": make_jpeg((100, 130), "CMYK"),
    "rotated.jpg": make_jpeg((100, 130), exif=rotate(3)),
    "turned.jpg": make_jpeg((130, 100), exif=rotate(6)),
    "lossless.png": encode(Image.fromarray(photo(100, 130))),
    "lossless.webp": encode(Image.fromarray(photo(100, 130)), "WEBP", lossless=True),
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return CaptionPairs([str(folder / name) for name in FILES], [["a"]] * len(FILES))


@pytest.mark.parametrize("size", FACTORS)
def test_decoded_size_is_the_smallest_that_is_large_enough(size, monkeypatch):
    decoded = []
    resize = Image.Image.resize

    def record(image, *args):
        decoded.append(image.size[::-1])
        return resize(image, *args)

    monkeypatch.setattr(Image.Image, "resize", record)
    result = read_image(make_jpeg(size), reduce_to=SIZE)
    factor = FACTORS[size]
    expected = tuple(-(-side // factor) for side in size)
    assert decoded == ([expected] if factor > 1 else [])
    assert result.shape == (*(SIZE if factor > 1 else size), 3)
    assert expected[0] >= SIZE[0] and expected[1] >= SIZE[1]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotated_photos_are_reduced_upright(orientation):
    content = make_jpeg((50, 91), exif=rotate(orientation))
    size = (45, 25) if orientation > 4 else (25, 45)
    result = read_image(content, reduce_to=size).astype(int)
    assert result.shape == (*size, 3)
    full = resize_image(read_image(content), size)
    assert np.abs(result - full).mean() < 2


def test_size_is_compared_with_the_upright_image():
    content = make_jpeg((50, 90), exif=rotate(6))
    assert read_image(content, reduce_to=(25, 45)).shape == (90, 50, 3)


def test_other_formats_and_arrays_are_not_reduced():
    image = Image.fromarray(photo(100, 130))
    for source in (encode(image), encode(image, "WEBP", lossless=True), image, photo(100, 130)):
        np.testing.assert_array_equal(read_image(source, reduce_to=SIZE), photo(100, 130))


def test_sequence_reduces_jpegs_before_resizing(pairs):
    (batch,) = CaptionSequence(pairs, image_size=SIZE, shuffle=False, reduce_jpegs=True)
    for image, path in zip(batch["images"], pairs.images, strict=True):
        expected = resize_image(read_image(path, reduce_to=SIZE), SIZE)
        np.testing.assert_array_equal(image, expected)
    with pytest.raises(ValueError, match="`reduce_jpegs` needs an `image_size`"):
        CaptionSequence(pairs, image_size=None, reduce_jpegs=True)


def caption_images(pairs, reduce_jpegs):
    return caption_dataset(pairs, image_size=SIZE, shuffle=False, reduce_jpegs=reduce_jpegs)


def question_images(pairs, reduce_jpegs):
    count = len(pairs)
    data = QuestionAnswers(pairs.images, ["q"] * count, [["a"]] * count, list(range(count)))
    return question_dataset(data, image_size=SIZE, shuffle=False, reduce_jpegs=reduce_jpegs)


@pytest.mark.parametrize("make_dataset", [caption_images, question_images])
def test_datasets_reduce_jpegs_like_pillow(pairs, make_dataset):
    pytest.importorskip("tensorflow")
    (reduced,), (full,) = (
        [batch["images"].numpy().astype(int) for batch in make_dataset(pairs, each)]
        for each in (True, False)
    )
    for name, path, image, original in zip(FILES, pairs.images, reduced, full, strict=True):
        expected = resize_image(read_image(path, reduce_to=SIZE), SIZE)
        assert np.abs(image - expected).max() <= 2, name
        assert np.abs(original - resize_image(read_image(path), SIZE)).max() <= 2, name
        is_reduced = name.endswith("jpg") and name != "too_small.jpg"
        assert (image != original).any() == is_reduced, name
        assert np.abs(image - original).mean() < 2, name


def test_truncated_file_raises_an_error(tmp_path):
    tf = pytest.importorskip("tensorflow")
    path = tmp_path / "cut.jpg"
    path.write_bytes(make_jpeg((100, 130))[:-500])
    cut = CaptionPairs([str(path)], [["a"]])
    with pytest.raises(tf.errors.OpError, match="cut.jpg"):
        list(caption_images(cut, True))


@pytest.mark.parametrize("mode, thumbnail", [("RGB", False), ("RGB", True), ("L", False)])
def test_orientation_is_found_behind_the_first_kilobytes(tmp_path, mode, thumbnail):
    pytest.importorskip("tensorflow")
    content = make_jpeg((100, 130), mode)
    exif = b"Exif\0\0" + rotate(3).tobytes().removeprefix(b"Exif\0\0")
    # A profile of another program, or a thumbnail, whose pixels look like those of the photo.
    other = make_jpeg((40, 60)) if thumbnail else bytes(5000)
    segments = jpeg_segment(0xED, other) + jpeg_segment(0xE1, exif)
    path = tmp_path / "photo.jpg"
    path.write_bytes(content[:20] + segments + content[20:])
    expected = resize_image(read_image(path, reduce_to=SIZE), SIZE).astype(int)
    upright = resize_image(read_image(content, reduce_to=SIZE), SIZE)
    assert np.abs(expected - upright[::-1, ::-1]).max() <= 1
    (batch,) = caption_images(CaptionPairs([str(path)], [["a"]]), True)
    np.testing.assert_array_equal(batch["images"][0], expected)
