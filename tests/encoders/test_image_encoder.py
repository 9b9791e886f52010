import os
import subprocess
import sys
from pathlib import Path

import keras
import keras_hub
import numpy as np
import pytest
from jax_settings import JAX_SETTINGS

from keras_mmfusion.encoders import ImageEncoder

REPOSITORY = Path(__file__).resolve().parents[2]
PRESET = REPOSITORY / "zoo" / "efficientnet_lite0_imagenet"

# Keras's TensorFlow variables do not accept the `copy` argument of NumPy 2.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


def images(batch=2, height=64, width=64):
    values = np.random.default_rng(0).uniform(-1, 1, (batch, height, width, 3))
    return values.astype("float32")


def encode(encoder, inputs):
    return keras.ops.convert_to_numpy(keras.ops.cast(encoder(inputs), "float32"))


def batch_norm_weights(encoder):
    return {
        weight.path: keras.ops.convert_to_numpy(weight)
        for layer in encoder.layers
        if isinstance(layer, keras.layers.BatchNormalization)
        for weight in layer.weights
    }


def fit_one_step(encoder):
    """Trains the encoder and a head on its pooled tokens for one step."""
    model = keras.Sequential(
        [encoder, keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(4)]
    )
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    targets = np.random.default_rng(1).normal(size=(2, 4))
    model.fit(images(), targets, batch_size=2, verbose=0)


@pytest.fixture(scope="module")
def pretrained():
    return ImageEncoder.from_preset(str(PRESET), image_size=64)


@pytest.mark.parametrize(
    "variant, image_size, grid, parameters",
    [("lite0", (224, 224), (7, 7), 3_413_024), ("lite2", (260, 260), (9, 9), 4_869_168)],
)
def test_variants_have_the_published_sizes(variant, image_size, grid, parameters):
    encoder = ImageEncoder(variant)

    assert encoder.image_size == image_size
    assert encoder.grid == grid
    assert encoder.token_dim == 1280
    assert encoder.output.shape == (None, grid[0] * grid[1], 1280)
    assert encoder.count_params() == parameters


def test_default_is_lite0_with_224_pixels():
    config = ImageEncoder().get_config()
    assert (config["variant"], config["image_size"]) == ("lite0", [224, 224])


@pytest.mark.parametrize("image_size, grid", [(32, (1, 1)), (33, (2, 2)), ((64, 97), (2, 4))])
def test_grid_size_is_rounded_up(image_size, grid):
    encoder = ImageEncoder("lite0", image_size)
    height, width = encoder.image_size

    assert encoder.grid == grid
    assert encode(encoder, images(1, height, width)).shape == (1, grid[0] * grid[1], 1280)


def test_tokens_are_feature_map_positions_row_by_row(pretrained):
    features = keras.Model(pretrained.input, pretrained.get_layer("head_activation").output)
    feature_map = encode(features, images())
    tokens = encode(pretrained, images())

    rows, columns = pretrained.grid
    for row in range(rows):
        for column in range(columns):
            np.testing.assert_array_equal(
                tokens[:, row * columns + column], feature_map[:, row, column]
            )


def test_tokens_are_bounded_by_relu6(pretrained):
    tokens = encode(pretrained, 10 * images())
    assert tokens.min() == 0
    assert 3 < tokens.max() <= 6


@pytest.mark.parametrize("blocks", [0, 1, 4, 15])
def test_split_models_give_the_same_tokens(pretrained, blocks):
    lower, upper = pretrained.split(blocks)
    np.testing.assert_allclose(
        encode(upper, lower(images())), encode(pretrained, images()), atol=1e-5
    )
    weights = {id(weight) for weight in (*lower.weights, *upper.weights)}
    assert weights == {id(weight) for weight in pretrained.weights}
    count = sum(layer.name.endswith("project_convolution") for layer in upper.layers)
    assert count == blocks


@pytest.mark.parametrize("blocks", [-1, 16, 1.0])
def test_split_with_invalid_blocks_raises(pretrained, blocks):
    with pytest.raises(ValueError, match=r"`blocks` must be an integer in \[0, 15\]"):
        pretrained.split(blocks)


def test_tokens_do_not_depend_on_the_batch_size(pretrained):
    inputs = images(batch=5)
    expected = np.concatenate([encode(pretrained, inputs[i : i + 1]) for i in range(5)])

    np.testing.assert_allclose(encode(pretrained, inputs), expected, atol=1e-4)
    np.testing.assert_allclose(
        pretrained.predict(inputs, batch_size=2, verbose=0), expected, atol=1e-4
    )


def test_config_round_trip():
    encoder = ImageEncoder(
        "lite2", (64, 96), freeze_batch_norm=False, dtype="mixed_bfloat16", name="encoder"
    )
    encoder.trainable = False
    config = encoder.get_config()
    copy = ImageEncoder.from_config(config)

    assert copy.get_config() == config
    assert (copy.variant, copy.image_size, copy.name) == ("lite2", (64, 96), "encoder")
    assert copy.freeze_batch_norm is False
    assert copy.trainable is False
    assert copy.dtype_policy.name == "mixed_bfloat16"


def test_keras_file_round_trip(pretrained, tmp_path):
    pretrained.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")

    assert isinstance(loaded, ImageEncoder)
    np.testing.assert_array_equal(encode(loaded, images()), encode(pretrained, images()))


def test_preset_round_trip(pretrained, tmp_path):
    pretrained.save_to_preset(str(tmp_path / "preset"))
    loaded = keras_hub.models.Backbone.from_preset(str(tmp_path / "preset"))

    assert isinstance(loaded, ImageEncoder)
    assert loaded.image_size == (64, 64)
    np.testing.assert_array_equal(encode(loaded, images()), encode(pretrained, images()))


def test_from_preset_arguments_override_the_config():
    encoder = ImageEncoder.from_preset(
        str(PRESET), image_size=(64, 32), dtype="bfloat16", trainable=False
    )
    assert encoder.grid == (2, 1)
    assert encoder.dtype_policy.name == "bfloat16"
    assert encoder.trainable_variables == []


def test_weights_are_random_by_default(pretrained):
    first, second = (ImageEncoder(image_size=64) for _ in range(2))
    assert not np.allclose(encode(first, images()), encode(second, images()))
    assert not np.allclose(encode(first, images()), encode(pretrained, images()))


def test_initial_activations_neither_vanish_nor_saturate():
    tokens = encode(ImageEncoder(image_size=64), images())
    assert 0.01 < tokens.mean() < 5.9
    assert tokens.std() > 0.01


@pytest.mark.parametrize("by_argument", [False, True])
@pytest.mark.parametrize("freeze_batch_norm", [False, True])
def test_frozen_encoder_does_not_change_in_fit(by_argument, freeze_batch_norm):
    encoder = ImageEncoder(
        image_size=64, trainable=not by_argument, freeze_batch_norm=freeze_batch_norm
    )
    encoder.trainable = False
    before = [keras.ops.convert_to_numpy(weight) for weight in encoder.weights]
    fit_one_step(encoder)

    assert encoder.trainable_variables == []
    for weight, old in zip(encoder.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)
    np.testing.assert_array_equal(
        encoder(images(), training=True), encoder(images(), training=False)
    )


def test_fine_tuning_trains_every_kernel_and_freezes_batch_norm():
    encoder = ImageEncoder(image_size=64)
    frozen = batch_norm_weights(encoder)
    before = {weight.path: keras.ops.convert_to_numpy(weight) for weight in encoder.weights}
    fit_one_step(encoder)

    assert frozen
    trained = {weight.path for weight in encoder.trainable_variables}
    assert trained == before.keys() - frozen.keys()
    for weight in encoder.weights:
        unchanged = np.array_equal(weight, before[weight.path])
        assert unchanged == (weight.path in frozen), weight.path


def test_batch_norm_is_trained_if_not_frozen():
    encoder = ImageEncoder(image_size=64, freeze_batch_norm=False)
    before = {weight.path: keras.ops.convert_to_numpy(weight) for weight in encoder.weights}
    fit_one_step(encoder)

    for weight in encoder.weights:
        assert not np.array_equal(weight, before[weight.path]), weight.path


@pytest.mark.parametrize("through_parent", [False, True])
def test_batch_norm_stays_frozen_when_the_encoder_is_unfrozen(through_parent):
    encoder = ImageEncoder(image_size=64, trainable=False)
    owner = keras.Sequential([encoder]) if through_parent else encoder
    owner.trainable = False
    owner.trainable = True

    assert len(encoder.trainable_variables) == 49
    assert not {weight.path for weight in encoder.trainable_variables} & set(
        batch_norm_weights(encoder)
    )


@pytest.mark.parametrize(
    "dtype, output_dtype, tolerance",
    [
        ("mixed_float16", "float16", 0.005),
        ("float16", "float16", 0.005),
        ("mixed_bfloat16", "bfloat16", 0.05),
        ("bfloat16", "bfloat16", 0.05),
    ],
)
def test_half_precision_is_close_to_float32(pretrained, dtype, output_dtype, tolerance):
    encoder = ImageEncoder.from_preset(str(PRESET), image_size=64, dtype=dtype)
    # Far outside of the range of images, to check that nothing overflows.
    assert np.isfinite(encode(encoder, 100 * images())).all()

    assert keras.backend.standardize_dtype(encoder(images()).dtype) == output_dtype
    difference = np.abs(encode(encoder, images()) - encode(pretrained, images()))
    assert difference.mean() < tolerance


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backends_agree(pretrained, backend, tmp_path):
    pytest.importorskip(backend)
    script = f"""
import keras, numpy as np
from keras_mmfusion.encoders import ImageEncoder
assert keras.backend.backend() == {backend!r}
encoder = ImageEncoder.from_preset({str(PRESET)!r}, image_size=64)
images = np.load("images.npy")
np.save("tokens.npy", encoder.predict(images, verbose=0))
pooled = keras.layers.GlobalAveragePooling1D()(encoder.output)
model = keras.Model(encoder.input, keras.layers.Dense(1)(pooled))
frozen = [np.array(keras.ops.convert_to_numpy(w)) for w in encoder.non_trainable_variables]
model.compile(optimizer="sgd", loss="mse")
history = model.fit(images, np.ones((len(images), 1)), verbose=0)
assert np.isfinite(history.history["loss"]).all()
for weight, old in zip(encoder.non_trainable_variables, frozen, strict=True):
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), old)
assert len(encoder.trainable_variables) == 49
"""
    np.save(tmp_path / "images.npy", images())
    subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(REPOSITORY), **JAX_SETTINGS},
        check=True,
        timeout=300,
    )
    np.testing.assert_allclose(
        np.load(tmp_path / "tokens.npy"), encode(pretrained, images()), atol=1e-3
    )


def test_unknown_variant_raises():
    with pytest.raises(ValueError, match="`variant` must be one of 'lite0', 'lite2'.*'lite9'"):
        ImageEncoder("lite9")


@pytest.mark.parametrize("image_size", [0, -32, 64.0, "64", (64,), (64, 0), (64, 64, 3)])
def test_invalid_image_size_raises(image_size):
    with pytest.raises(ValueError, match="`image_size` must be a positive int, or two"):
        ImageEncoder(image_size=image_size)


def test_images_of_another_size_raise(pretrained):
    with pytest.raises(ValueError, match="expected shape=\\(None, 64, 64, 3\\)"):
        pretrained(images(1, 32, 32))
