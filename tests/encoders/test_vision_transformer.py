import math

import keras
import keras_hub
import numpy as np
import pytest

from keras_mmfusion.encoders import VisionTransformer

# Keras's TensorFlow variables do not accept the `copy` argument of NumPy 2.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

SIZES = {
    "image_size": (16, 24),
    "patch_size": 8,
    "dim": 12,
    "num_layers": 2,
    "num_heads": 3,
    "mlp_dim": 20,
}
ACTIVATIONS = {
    "gelu": lambda x: x * (1 + np.vectorize(math.erf)(x / 2**0.5)) / 2,
    "gelu_tanh": lambda x: x * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))) / 2,
    "quick_gelu": lambda x: x / (1 + np.exp(-1.702 * x)),
    "relu": lambda x: np.maximum(x, 0),
}


def images(height=16, width=24, batch=3):
    values = np.random.default_rng(0).uniform(-1, 1, (batch, height, width, 3))
    return values.astype("float32")


def make_encoder(**arguments):
    """An encoder with widely spread weights, so that no part of the formula is hidden."""
    encoder = VisionTransformer(**{**SIZES, **arguments})
    rng = np.random.default_rng(1)
    for weight in encoder.weights:
        center = float("gamma" in weight.path)
        weight.assign(rng.normal(center, 0.3, weight.shape))
    return encoder


def encode(encoder, inputs):
    return keras.ops.convert_to_numpy(keras.ops.cast(encoder(inputs), "float32"))


def reference(encoder, inputs):
    """The formula of the paper in float64 NumPy."""
    settings = encoder.get_config()
    activation = ACTIVATIONS[settings["activation"]]

    def value(weight):
        return np.float64(keras.ops.convert_to_numpy(weight))

    def dense(layer, x):
        return x @ value(layer.kernel) + value(layer.bias)

    def norm(layer, x):
        variance = x.var(axis=-1, keepdims=True) + settings["epsilon"]
        x = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(variance)
        return x * value(layer.gamma) + value(layer.beta)

    def attention(layer, x):
        heads = settings["num_heads"]
        q, k, v = (
            np.stack(np.split(dense(part, x), heads, axis=-1), axis=1)
            for part in (layer.query_dense, layer.key_dense, layer.value_dense)
        )
        scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return dense(layer.output_dense, np.concatenate(list((weights @ v).swapaxes(0, 1)), -1))

    size, (rows, columns) = settings["patch_size"], encoder.grid
    kernel = value(encoder.patch_embedding.kernel).reshape(-1, settings["dim"])
    tokens = np.empty((len(inputs), rows * columns, settings["dim"]))
    for row in range(rows):
        for column in range(columns):
            y, x = row * size, column * size
            patch = inputs[:, y : y + size, x : x + size].reshape(len(inputs), -1)
            tokens[:, row * columns + column] = np.float64(patch) @ kernel
    if settings["patch_bias"]:
        tokens += value(encoder.patch_embedding.bias)
    if settings["class_token"]:
        first = np.broadcast_to(value(encoder.class_embedding), (len(inputs), 1, settings["dim"]))
        tokens = np.concatenate([first, tokens], axis=1)
    x = tokens + value(encoder.position_embedding)
    if settings["pre_norm"]:
        x = norm(encoder.pre_layer_norm, x)
    for block in encoder.blocks:
        x = x + attention(block.attention, norm(block.attention_norm, x))
        hidden = activation(dense(block.mlp_hidden, norm(block.mlp_norm, x)))
        x = x + dense(block.mlp_output, hidden)
    return norm(encoder.final_norm, x) if settings["final_norm"] else x


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"activation": "quick_gelu", "pre_norm": True, "patch_bias": False},
        {"activation": "gelu_tanh", "class_token": False, "epsilon": 1e-6},
        {"activation": "relu", "final_norm": False, "epsilon": 1e-2},
    ],
)
def test_tokens_match_numpy_reference(arguments):
    encoder = make_encoder(**arguments)
    tokens = encode(encoder, images())

    assert tokens.shape == (3, 6 + encoder.get_config()["class_token"], 12)
    np.testing.assert_allclose(tokens, reference(encoder, images()), atol=2e-5)


def test_pixels_beyond_the_last_patch_are_not_used():
    encoder = make_encoder(image_size=(17, 31))
    inputs = images(17, 31)

    assert encoder.grid == (2, 3)
    np.testing.assert_allclose(encode(encoder, inputs), reference(encoder, inputs), atol=2e-5)


@pytest.mark.parametrize("image_size", [(16, 24), (8, 8), (40, 32), (56, 80)])
def test_positions_are_resized_like_in_pytorch(image_size):
    torch = pytest.importorskip("torch")
    source = make_encoder()
    encoder = make_encoder(image_size=image_size, position_grid=source.grid)
    encoder.set_weights(source.get_weights())
    positions = keras.ops.convert_to_numpy(source.position_embedding)
    resized = torch.nn.functional.interpolate(
        torch.tensor(np.array(positions[1:])).reshape(1, 2, 3, 12).permute(0, 3, 1, 2),
        size=encoder.grid,
        mode="bicubic",
        align_corners=False,
    )
    resized = resized.permute(0, 2, 3, 1).reshape(-1, 12).numpy()
    expected = make_encoder(image_size=image_size)
    weights = source.get_weights()
    index = [weight is source.position_embedding for weight in source.weights].index(True)
    weights[index] = np.concatenate([positions[:1], resized])
    expected.set_weights(weights)

    np.testing.assert_allclose(
        encode(encoder, images(*image_size)), encode(expected, images(*image_size)), atol=1e-5
    )


def test_preset_loads_at_another_image_size(tmp_path):
    source = make_encoder()
    source.save_to_preset(str(tmp_path))
    loaded = keras_hub.models.Backbone.from_preset(str(tmp_path))
    larger = VisionTransformer.from_preset(str(tmp_path), image_size=(32, 24))

    assert isinstance(loaded, VisionTransformer)
    np.testing.assert_array_equal(encode(loaded, images()), encode(source, images()))
    assert (larger.grid, larger.position_grid) == ((4, 3), (2, 3))
    np.testing.assert_array_equal(larger.position_embedding, source.position_embedding)
    assert encode(larger, images(32, 24)).shape == (3, 13, 12)


def test_config_and_keras_file_round_trip(tmp_path):
    encoder = make_encoder(
        activation="quick_gelu", pre_norm=True, patch_bias=False, position_grid=(3, 2)
    )
    copy = VisionTransformer.from_config(encoder.get_config())
    assert copy.get_config() == encoder.get_config()

    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(encode(loaded, images()), encode(encoder, images()))


def test_fit_trains_every_weight():
    encoder = make_encoder(pre_norm=True, position_grid=(3, 2))
    before = {weight.path: keras.ops.convert_to_numpy(weight) for weight in encoder.weights}
    encoder.compile(keras.optimizers.SGD(1.0), "mse")
    encoder.fit(images(), np.ones((3, 7, 12)), verbose=0)

    assert len(before) == 4 + 2 + 2 * 16 + 2
    for weight in encoder.weights:
        if not weight.path.endswith("key/bias"):  # Softmax cancels it.
            assert not np.array_equal(weight, before[weight.path]), weight.path


def test_frozen_encoder_has_no_trainable_weights():
    assert not VisionTransformer(**SIZES, trainable=False).trainable_variables


def test_lora_trains_queries_and_values():
    encoder = make_encoder()
    encoder.enable_lora(2)
    trained = {weight.path.partition("/attention/")[2] for weight in encoder.trainable_variables}
    parts = ("bias", "lora_kernel_a", "lora_kernel_b")
    assert trained == {f"{layer}/{part}" for layer in ("query", "value") for part in parts}


@pytest.mark.parametrize("dtype, tolerance", [("mixed_float16", 0.02), ("mixed_bfloat16", 0.15)])
def test_half_precision_is_close_to_float32(dtype, tolerance):
    expected = make_encoder(position_grid=(3, 2))
    encoder = make_encoder(position_grid=(3, 2), dtype=dtype)

    assert keras.backend.standardize_dtype(encoder(images()).dtype) == dtype.removeprefix("mixed_")
    difference = np.abs(encode(encoder, images()) - encode(expected, images()))
    assert difference.mean() < tolerance


def test_published_sizes():
    encoder = VisionTransformer()
    assert encoder.count_params() == 85_798_656  # ViT-B/16 without its head
    assert (encoder.grid, encoder.token_dim) == ((14, 14), 768)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"image_size": 0}, "`image_size` must be a positive int"),
        ({"patch_size": 17}, "`patch_size` must be an integer from 1 to 16"),
        ({"num_layers": 0}, "`num_layers` must be a positive integer"),
        ({"num_heads": 5}, "`num_heads` must divide the dim"),
        ({"activation": "swish"}, "`activation` must be one of 'gelu'"),
        ({"epsilon": 0}, "`epsilon` must be a positive number"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        VisionTransformer(**{**SIZES, **arguments})
