"""Tiles of images; tests/checkpoints/test_image_processors.py compares them with transformers."""

import keras
import numpy as np
import pytest

from keras_mmfusion.datasets.images.pillow_resizing import resize_with_pillow
from keras_mmfusion.encoders import TiledImageConverter

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 64, 3), "uint8")


def test_tiles_are_the_parts_of_the_image_row_by_row_then_the_whole():
    tiles, grid = TiledImageConverter(tile_size=16, longest_edge=64)(IMAGE)
    tiles = keras.ops.convert_to_numpy(tiles)
    assert (tiles.shape, grid) == ((9, 16, 16, 3), (2, 4))
    rows = [np.concatenate(tiles[start : start + 4], axis=1) for start in (0, 4)]
    np.testing.assert_array_equal(np.concatenate(rows), IMAGE)
    np.testing.assert_array_equal(tiles[-1], resize_with_pillow(IMAGE, (16, 16), "lanczos"))


@pytest.mark.parametrize("settings", [{"split": False}, {"longest_edge": 16}])
def test_an_image_that_is_not_split_is_one_tile(settings):
    converter = TiledImageConverter(tile_size=16, **{"longest_edge": 64, **settings}, scale=2.0)
    tiles, grid = converter(IMAGE.astype("float32") + 0.3)
    assert (tuple(tiles.shape), grid) == ((1, 16, 16, 3), (0, 0))


def test_very_wide_images_have_at_least_one_row_of_pixels():
    tiles, grid = TiledImageConverter(tile_size=16, longest_edge=64)(IMAGE[:1].repeat(9, axis=1))
    assert (tuple(tiles.shape), grid) == ((5, 16, 16, 3), (1, 4))


def test_converter_is_restored_from_its_configuration():
    converter = TiledImageConverter(16, 48, split=False, scale=(1, 2, 3), interpolation="bicubic")
    same = TiledImageConverter.from_config(converter.get_config())
    assert same.get_config() == converter.get_config()


@pytest.mark.parametrize(
    "arguments", [{"tile_size": 0}, {"longest_edge": 5000}, {"interpolation": "nearest"}]
)
def test_invalid_arguments_raise(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        TiledImageConverter(**arguments)


def test_batches_and_graphs_raise():
    converter = TiledImageConverter(tile_size=16, longest_edge=64)
    with pytest.raises(ValueError, match="Convert the images of a batch one by one"):
        converter(IMAGE[np.newaxis])
    tf = pytest.importorskip("tensorflow")
    with pytest.raises(ValueError, match="must be called eagerly"):
        tf.data.Dataset.from_tensors(IMAGE).map(converter)
