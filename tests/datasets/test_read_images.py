import io

import numpy as np
import pandas as pd
import pytest
from image_variants import encode
from photos import photo
from PIL import Image

from keras_mmfusion.datasets.images.read_images import read_images
from keras_mmfusion.datasets.io.check_texts import check_texts

FIRST, SECOND = photo(6, 8), photo(10, 4, phase=1.0)


@pytest.fixture
def paths(tmp_path):
    paths = []
    for name, pixels in (("a.png", FIRST), ("b.png", SECOND)):
        Image.fromarray(pixels).save(tmp_path / name)
        paths.append(tmp_path / name)
    return paths


def test_reads_single_image_of_any_type(paths):
    path = paths[0]
    content = path.read_bytes()
    with open(path, "rb") as file:
        for one in (
            path,
            str(path),
            np.str_(path),
            np.array(str(path)),
            content,
            bytearray(content),
            memoryview(content),
            io.BytesIO(content),
            file,
            Image.open(path),
            FIRST,
        ):
            images, single = read_images(one)
            assert single, one
            np.testing.assert_array_equal(list(images), [FIRST])


def test_reads_several_images_of_any_type(paths):
    names = list(map(str, paths))
    files = [path.read_bytes() for path in paths]
    for several in (
        paths,
        tuple(names),
        iter(names),
        np.array(names),
        np.array(paths, dtype=object),
        np.array(files, dtype=object),
        pd.Series(names),
        pd.Series(names, dtype="string"),
        pd.Series(paths, index=[7, 5]),
        [paths[0], io.BytesIO(files[1])],
        [Image.open(paths[0]), SECOND],
    ):
        images, single = read_images(several)
        assert not single, several
        for image, expected in zip(images, (FIRST, SECOND), strict=True):
            np.testing.assert_array_equal(image, expected)


def test_reads_batches_of_arrays():
    images, single = read_images(np.stack([FIRST, FIRST]))
    assert not single
    np.testing.assert_array_equal(list(images), [FIRST, FIRST])


@pytest.mark.parametrize("invalid", [None, float("nan"), b"", "nowhere.png", np.zeros((2, 2, 2))])
def test_error_shows_the_index_of_the_invalid_image(invalid):
    images, _ = read_images([encode(Image.fromarray(FIRST)), invalid], "photos")
    next(images)
    with pytest.raises((TypeError, ValueError), match=r"`photos\[1\]`: "):
        next(images)


def test_tables_and_dicts_are_rejected(paths):
    for table in (pd.DataFrame({"image": paths}), {"image": paths}):
        with pytest.raises(TypeError, match="such as a column of a table"):
            read_images(table)


@pytest.mark.parametrize("invalid", [None, float("nan"), pd.NA, 3])
def test_error_shows_the_index_of_the_invalid_text(invalid):
    for texts in (
        ["a dog", "", invalid],
        np.array(["a", "b", invalid], object),
        ("a", "b", invalid),
    ):
        with pytest.raises(ValueError, match=r"`captions\[2\]` must be a string. Received: "):
            check_texts(texts, "captions")
    with pytest.raises(ValueError, match=r"`captions\[2\]`"):
        check_texts(pd.Series(["a", "b", invalid], dtype=object), "captions")
    with pytest.raises(ValueError, match=r"`captions\[1\]\[0\]`"):
        check_texts([["a", "b"], [invalid, "c"]], "captions")


def test_texts_of_all_types_are_accepted():
    for texts in ("a", b"a", ["a", b"b"], np.array(["a"]), pd.Series(["a"]), [["a"], ["b", "c"]]):
        check_texts(texts, "captions")
