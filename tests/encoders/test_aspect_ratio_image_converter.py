import keras
import numpy as np
import pytest

from keras_mmfusion.encoders import AspectRatioImageConverter


def test_sizes_are_those_of_the_formula():
    converter = AspectRatioImageConverter()
    assert converter.longest_edge == 639
    assert converter.compute_size(480, 640) == (384, 512)
    assert converter.compute_size(640, 480) == (512, 384)
    assert converter.compute_size(300, 900) == (192, 608)  # 213 x 639
    assert converter.compute_size(3, 900) == (32, 608)


def test_graph_gives_the_same_pixels_and_sizes():
    tf = pytest.importorskip("tensorflow")
    converter = AspectRatioImageConverter(32, multiple=8, scale=2 / 255, offset=-1)
    rng = np.random.default_rng(0)
    sizes = [(37, 50), (90, 30), (24, 24), (9, 100), (100, 47), (16, 27)]
    images = [rng.integers(0, 256, (*size, 3)).astype("uint8") for size in sizes]
    dataset = tf.data.Dataset.from_generator(
        lambda: images, output_signature=tf.TensorSpec((None, None, 3), "uint8")
    ).map(converter)
    for image, (pixels, size) in zip(images, dataset.as_numpy_iterator(), strict=True):
        expected, expected_size = converter(image)
        np.testing.assert_array_equal(size, expected_size)
        np.testing.assert_allclose(pixels, keras.ops.convert_to_numpy(expected), atol=1e-6)
    batch = np.stack([images[0]] * 2)
    pixels, size = next(iter(tf.data.Dataset.from_tensors(batch).map(converter)))
    assert (pixels.shape, size.numpy().tolist()) == ((2, 32, 40, 3), [[32, 40]] * 2)


def test_converter_is_restored_from_its_configuration():
    converter = AspectRatioImageConverter(64, 96, 16, scale=(1, 2, 3), interpolation="bilinear")
    same = AspectRatioImageConverter.from_config(converter.get_config())
    assert same.get_config() == converter.get_config()


@pytest.mark.parametrize(
    "arguments", [{"shortest_edge": 16}, {"longest_edge": 100}, {"interpolation": "nearest"}]
)
def test_invalid_arguments_raise(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        AspectRatioImageConverter(**arguments)
