"""Resizing by TensorFlow operations gives Pillow's pixels."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from keras_mmfusion.datasets.images.pillow_resizing import (  # noqa: E402
    INTERPOLATIONS,
    resize_like_pillow,
    resize_with_pillow,
)

SIZES = [
    ((37, 53), (24, 24)),  # both shrink
    ((13, 11), (24, 32)),  # both grow
    ((90, 17), (24, 33)),  # one of each
    ((24, 50), (24, 24)),  # the height stays
    ((50, 24), (31, 24)),  # the width stays
    ((24, 24), (24, 24)),
    ((1, 1), (7, 5)),
    ((300, 2), (3, 16)),  # Pillow resizes the height first
    ((211, 333), (17, 1)),
]


@pytest.fixture(scope="module", params=INTERPOLATIONS)
def resizing(request):
    """The name of an interpolation, and the traced function for any input size."""

    @tf.function(
        input_signature=[tf.TensorSpec((None, None, 3), "uint8"), tf.TensorSpec(2, "int32")]
    )
    def resize(image, image_size):
        return resize_like_pillow(image, image_size, request.param)

    return request.param, resize


@pytest.mark.parametrize(("size", "new_size"), SIZES)
def test_pixels_equal_pillow(resizing, size, new_size):
    interpolation, resize = resizing
    rng = np.random.default_rng(0)
    # Only black and white: the sharpest edges overshoot most.
    for image in (rng.integers(0, 256, (*size, 3)), rng.integers(0, 2, (*size, 3)) * 255):
        image = image.astype("uint8")
        expected = resize_with_pillow(image, new_size, interpolation)
        np.testing.assert_array_equal(resize(image, new_size), expected)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_batches_equal_single_images(interpolation):
    images = np.random.default_rng(0).integers(0, 256, (3, 19, 23, 3)).astype("uint8")
    resized = resize_like_pillow(images, (8, 16), interpolation)
    assert resized.shape == (3, 8, 16, 3)
    np.testing.assert_array_equal(resized, resize_with_pillow(images, (8, 16), interpolation))
    assert resize_with_pillow(images[:0], (8, 16)).shape == (0, 8, 16, 3)
    assert resize_like_pillow(images[:0], (8, 16)).shape == (0, 8, 16, 3)


def test_dynamic_batch_has_static_output_size():
    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), "uint8")])
    def resize(images):
        resized = resize_like_pillow(images, (8, 6), "bicubic")
        assert resized.shape.as_list() == [None, 8, 6, 3]
        return resized

    images = np.random.default_rng(0).integers(0, 256, (2, 9, 31, 3)).astype("uint8")
    np.testing.assert_array_equal(resize(images), resize_with_pillow(images, (8, 6), "bicubic"))
