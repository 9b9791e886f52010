"""Resizing by TensorFlow operations."""

import numpy as np
import pytest
from PIL import Image

from keras_mmfusion.datasets.images import image_resizing

tf = pytest.importorskip("tensorflow")


def photo(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype="uint8")


def triangle_means(values, count):
    """Reference along the first axis, from the formula, in float64."""
    scale = values.shape[0] / count
    radius = max(scale, 1)
    centers = (np.arange(count) + 0.5) * scale
    distances = np.abs(np.arange(values.shape[0]) + 0.5 - centers[:, None])
    weights = np.maximum(1 - distances / radius, 0)
    return np.tensordot(weights / weights.sum(1, keepdims=True), values, 1)


SIZES = [
    ((375, 500), (224, 224)),
    ((97, 31), (13, 26)),
    ((9, 200), (20, 30)),
    ((40, 1), (7, 3)),
    ((1, 1), (4, 5)),
    ((8, 8), (1, 1)),
]


@pytest.mark.parametrize("size, new_size", SIZES)
def test_shrink_matches_the_formula(size, new_size):
    image = photo(*size)
    rows = triangle_means(image.astype("float64"), new_size[0])
    expected = triangle_means(rows.swapaxes(0, 1), new_size[1]).swapaxes(0, 1)
    result = image_resizing.shrink(tf.constant(image), new_size)
    # Relative to 255; the limit is the precision of positions up to 500 in float32.
    np.testing.assert_allclose(result, expected, atol=5e-3)


@pytest.mark.parametrize("size", [(375, 500), (100, 120), (60, 300), (720, 810), (224, 224)])
def test_pixels_match_pillow(size):
    image = photo(*size)
    expected = Image.fromarray(image).resize((224, 224), Image.Resampling.BILINEAR)
    result = image_resizing.resize_image_tensor(tf.constant(image), (224, 224)).numpy()
    assert result.dtype == "uint8"
    # Pillow rounds after each direction.
    assert np.abs(result.astype(int) - np.asarray(expected)).max() <= 1


def test_large_images_are_resized_by_tensorflow(monkeypatch):
    image = tf.constant(photo(64, 48))
    by_products = image_resizing.stretch(image, (16, 16))
    monkeypatch.setattr(image_resizing, "shrink", None)
    monkeypatch.setattr(image_resizing, "MAX_PIXELS", 1000)
    with pytest.raises(TypeError):
        image_resizing.stretch(image[:30, :30], (16, 16))
    difference = image_resizing.stretch(image, (16, 16)) - by_products
    assert np.abs(difference).max() <= 1
