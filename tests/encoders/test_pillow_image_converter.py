"""The image converter for public checkpoints."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

from keras_mmfusion.encoders import PillowImageConverter
from keras_mmfusion.models.captioning.decoding.image_batches import preprocess_images

MEAN, STD = np.array([0.48, 0.45, 0.4]), np.array([0.26, 0.25, 0.27])
SCALE, OFFSET = tuple(1 / 255 / STD), tuple(-MEAN / STD)
SIZES = [(37, 53), (53, 37), (20, 20), (24, 24), (9, 30), (101, 64)]


def make_image(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype("uint8")


def preprocess_reference(image, image_size, interpolation, shortest_edge):
    """Preprocesses an image by Pillow's own functions."""
    height, width = image.shape[:2]
    image = Image.fromarray(image)
    size = image_size[::-1]
    if shortest_edge:
        scale = shortest_edge / min(height, width)
        size = (int(width * scale + 1e-9), int(height * scale + 1e-9))
    image = image.resize(size, Image.Resampling[interpolation.upper()])
    if shortest_edge:
        left, top = (size[0] - image_size[1]) // 2, (size[1] - image_size[0]) // 2
        image = image.crop((left, top, left + image_size[1], top + image_size[0]))
    return (np.asarray(image) / 255 - MEAN) / STD


def make_converter(**kwargs):
    return PillowImageConverter(image_size=(24, 20), scale=SCALE, offset=OFFSET, **kwargs)


@pytest.mark.parametrize("shortest_edge", [None, 24, 27])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
def test_outputs_equal_pillow_eagerly_and_in_tf_data(interpolation, shortest_edge):
    converter = make_converter(interpolation=interpolation, shortest_edge=shortest_edge)
    images = [make_image(size) for size in SIZES]
    expected = [
        preprocess_reference(image, (24, 20), interpolation, shortest_edge) for image in images
    ]
    for image, reference in zip(images, expected, strict=True):
        output = keras.ops.convert_to_numpy(converter(image))
        np.testing.assert_allclose(output, reference, atol=1e-5)
    np.testing.assert_allclose(converter(images), expected, atol=1e-5)

    tf = pytest.importorskip("tensorflow")
    signature = tf.TensorSpec((None, None, 3), "uint8")
    dataset = tf.data.Dataset.from_generator(lambda: images, output_signature=signature)
    dataset = dataset.map(converter)
    assert dataset.element_spec.shape.as_list() == [24, 20, 3]
    np.testing.assert_allclose(list(dataset.as_numpy_iterator()), expected, atol=1e-5)


@pytest.mark.parametrize("drop_alpha", [False, True])
def test_drop_alpha_decides_how_images_are_read(drop_alpha):
    converter = PillowImageConverter(image_size=(1, 1), drop_alpha=drop_alpha)
    assert PillowImageConverter.from_config(converter.get_config()).drop_alpha == drop_alpha
    preprocessor = SimpleNamespace(
        image_converter=converter, generate_preprocess=lambda image: converter(image)
    )
    transparent = Image.new("RGBA", (1, 1), (7, 8, 9, 0))
    [(pixels, _)], _ = preprocess_images(transparent, None, preprocessor, batch_size=1)
    assert pixels[0, 0, 0].tolist() == ([7, 8, 9] if drop_alpha else [255] * 3)


@pytest.mark.parametrize("shortest_edge", [None, 26])
def test_batches_equal_single_images(shortest_edge):
    converter = make_converter(shortest_edge=shortest_edge)
    images = np.stack([make_image((31, 47), seed) for seed in range(3)])
    expected = [keras.ops.convert_to_numpy(converter(image)) for image in images]
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(converter(images)), expected)
    floats = keras.ops.convert_to_tensor(images.astype("float32"))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(converter(floats)), expected)
    tf = pytest.importorskip("tensorflow")
    batches = tf.data.Dataset.from_tensor_slices(images.astype("float32")).batch(2).map(converter)
    batches = np.concatenate(list(batches.as_numpy_iterator()))
    np.testing.assert_allclose(batches, expected, atol=1e-6)


def test_config_round_trip_keeps_every_setting():
    converter = make_converter(interpolation="lanczos", shortest_edge=30)
    restored = keras.layers.deserialize(keras.layers.serialize(converter))
    assert restored.get_config() == converter.get_config()
    image = make_image((40, 50))
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(restored(image)), keras.ops.convert_to_numpy(converter(image))
    )


def test_invalid_arguments_and_shapes_raise():
    with pytest.raises(ValueError, match="`interpolation` must be one of"):
        make_converter(interpolation="nearest")
    with pytest.raises(ValueError, match="`shortest_edge` must not be smaller"):
        make_converter(shortest_edge=10)
    with pytest.raises(ValueError, match=r"must have the shape.*\(5, 5\)"):
        make_converter()(np.zeros((5, 5), "uint8"))
