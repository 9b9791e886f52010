from pathlib import Path

import pytest

from keras_mmfusion.datasets import CaptionPairs


def test_take_returns_the_first_images(pairs):
    few = pairs.take(3)
    assert len(few) == 3
    assert few.images == pairs.images[:3]
    assert few.pad_captions(2) == [["photo 0", ""], ["photo 1", "left 1"], ["photo 2", "left 2"]]


def test_empty_pairs_are_rejected():
    with pytest.raises(ValueError, match="not empty"):
        CaptionPairs([], [])


def test_different_lengths_are_rejected(pairs):
    with pytest.raises(ValueError, match="10 images, 1 lists"):
        CaptionPairs(pairs.images, [["a"]])


def test_missing_files_are_listed(pairs):
    images = [*pairs.images, "/nowhere/a.jpg", "/nowhere/b.jpg"]
    with pytest.raises(ValueError, match="do not exist: '/nowhere/a.jpg', '/nowhere/b.jpg'"):
        CaptionPairs(images, [["a"]] * 12)


@pytest.mark.parametrize("none", [[], ["", "  "]])
def test_images_without_captions_are_listed(pairs, none):
    with pytest.raises(ValueError, match=r"no caption for '.*0.jpg', .* and 7 more"):
        CaptionPairs(pairs.images, [none] * 10)


def test_captions_per_image_must_be_positive(pairs):
    with pytest.raises(ValueError, match="`captions_per_image` must be a positive integer"):
        pairs.pad_captions(0)


def test_strings_instead_of_lists_are_rejected(pairs):
    with pytest.raises(ValueError, match=r"`images` must be a list of strings.*mean \['a.jpg'\]"):
        CaptionPairs("a.jpg", [["A dog."]])
    with pytest.raises(ValueError, match=r"`captions\[0\]` must be a list of strings.*'A dog.'"):
        CaptionPairs(pairs.images[:1], ["A dog."])
    with pytest.raises(ValueError, match="`captions` must be a list of lists"):
        CaptionPairs(pairs.images[:6], "A dog.")
    for captions in ([None], [["A dog.", None]], [[float("nan")]]):
        with pytest.raises(ValueError, match=r"`captions\[0\]` must be a list of strings"):
            CaptionPairs(pairs.images[:1], captions)


def test_repr_shows_the_sizes(pairs):
    assert repr(pairs) == "CaptionPairs(images=10, captions=19)"


def test_images_may_be_arrays_series_and_paths(pairs):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"image": pairs.images, "captions": pairs.captions})
    expected = (list(pairs.images), [list(each) for each in pairs.captions])
    for images in (frame["image"], frame["image"].to_numpy(), list(map(Path, pairs.images))):
        result = CaptionPairs(images, frame["captions"])
        assert (result.images, result.captions) == expected
    for wrong in (None, "a.jpg", b"a.jpg", [None]):
        with pytest.raises(ValueError, match="`images` must be a list of strings"):
            CaptionPairs(wrong, [["a"]])
