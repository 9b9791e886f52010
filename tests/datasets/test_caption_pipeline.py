import numpy as np
import pytest
from photos import photo
from PIL import Image

from keras_mmfusion.datasets import CaptionPairs, CaptionSequence, caption_dataset
from keras_mmfusion.datasets.images.read_image import read_image, resize_image

tensorflow = pytest.importorskip("tensorflow")


def first_captions(dataset):
    return [texts[0].decode() for batch in dataset for texts in batch["captions"].numpy()]


def all_images(dataset):
    return np.concatenate([batch["images"].numpy() for batch in dataset])


def test_batch_sizes_and_shapes(pairs):
    dataset = caption_dataset(pairs, batch_size=4, image_size=(32, 24), captions_per_image=2)
    assert dataset.element_spec["images"].shape == (None, 32, 24, 3)
    assert dataset.element_spec["images"].dtype == "uint8"
    assert dataset.element_spec["captions"].shape == (None, 2)
    assert [len(batch["images"]) for batch in dataset] == [4, 4, 2]


@pytest.mark.parametrize("size", [(32, 24), (90, 80)])
def test_decoded_jpeg_files_match_pillow(pairs, size):
    images = all_images(caption_dataset(pairs, image_size=size, shuffle=False))
    for image, path in zip(images, pairs.images, strict=True):
        expected = resize_image(read_image(path), size).astype(int)
        assert np.abs(image - expected).max() <= 2
        assert np.abs(image - expected).mean() < 0.5


def test_formats_that_tensorflow_decodes_differently_match_read_image(tmp_path):
    image = Image.fromarray(photo(40, 60))
    exif = Image.Exif()
    exif[0x0112] = 3
    image.save(tmp_path / "rotated.jpg", exif=exif, quality=95)
    image.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    image.save(tmp_path / "photo.webp", lossless=True)
    image.convert("RGBA").save(tmp_path / "alpha.png")
    image.convert("L").save(tmp_path / "gray.jpg", quality=95)
    paths = [str(path) for path in sorted(tmp_path.iterdir())]
    pairs = CaptionPairs(paths, [["a"]] * len(paths))
    images = all_images(caption_dataset(pairs, image_size=(40, 60), shuffle=False))
    for result, path in zip(images, paths, strict=True):
        assert np.abs(result.astype(int) - read_image(path)).max() <= 1


@pytest.mark.parametrize("drop_alpha", [False, True])
def test_transparency_is_blended_or_ignored(tmp_path, drop_alpha):
    path = tmp_path / "transparent.png"
    Image.fromarray(np.full((4, 4, 4), (7, 8, 9, 0), "uint8")).save(path)
    pairs = CaptionPairs([str(path)], [["a"]])
    options = {"image_size": (4, 4), "drop_alpha": drop_alpha}
    for dataset in (caption_dataset(pairs, **options), CaptionSequence(pairs, **options)):
        (batch,) = dataset
        expected = [7, 8, 9] if drop_alpha else [255] * 3
        assert np.array(batch["images"])[0, 0, 0].tolist() == expected


@pytest.mark.parametrize("cache", [False, True])
def test_epochs_are_shuffled_differently_and_reproducibly(pairs, cache):
    options = {"image_size": (8, 8), "batch_size": 3, "seed": 5, "cache": cache}
    dataset = caption_dataset(pairs, **options)
    epochs = [first_captions(dataset) for _ in range(3)]
    assert all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
    assert len(set(map(tuple, epochs))) == 3
    assert sorted(epochs[0]) == sorted(captions[0] for captions in pairs.captions)
    again = caption_dataset(pairs, **options)
    assert [first_captions(again) for _ in range(3)] == epochs
    other = caption_dataset(pairs, **{**options, "seed": 6})
    assert first_captions(other) != epochs[0]


def test_order_is_kept_without_shuffling(pairs):
    dataset = caption_dataset(pairs, image_size=(8, 8), shuffle=False)
    assert first_captions(dataset) == [captions[0] for captions in pairs.captions]


def test_cache_reads_files_once(pairs):
    dataset = caption_dataset(pairs, image_size=(8, 8), cache=True, shuffle=False)
    before = all_images(dataset)
    for path in pairs.images:
        with open(path, "wb"):
            pass
    np.testing.assert_array_equal(all_images(dataset), before)


def test_augmentation_differs_by_epoch_and_is_reproducible(pairs):
    options = {"image_size": (24, 24), "shuffle": False, "augment": True}
    dataset = caption_dataset(pairs, **options)
    epochs = [all_images(dataset) for _ in range(2)]
    assert (epochs[0] != epochs[1]).any(axis=(1, 2, 3)).all()
    again = caption_dataset(pairs, **options)
    np.testing.assert_array_equal(all_images(again), epochs[0])
    np.testing.assert_array_equal(all_images(again), epochs[1])


@pytest.mark.parametrize("content", [b"", b"\xff", b"not an image", None])
def test_error_names_the_invalid_file(pairs, content):
    with open(pairs.images[3], "rb") as file:
        content = file.read()[:-50] if content is None else content
    with open(pairs.images[3], "wb") as file:
        file.write(content)
    with pytest.raises(tensorflow.errors.OpError, match="3.jpg"):
        list(caption_dataset(pairs, image_size=(8, 8)))
