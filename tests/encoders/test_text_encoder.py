import math

import keras
import numpy as np
import pytest

from keras_mmfusion.encoders import TextEncoder

IDS = np.array([[2, 7, 9, 3, 0], [2, 8, 3, 0, 0]])
BATCH = {"token_ids": IDS, "padding_mask": IDS > 0}


def make_encoder(**options):
    sizes = {"vocabulary_size": 12, "num_layers": 2, "num_heads": 2, "hidden_dim": 8}
    keras.utils.set_random_seed(0)
    encoder = TextEncoder(**{**sizes, "intermediate_dim": 16, "max_sequence_length": 6, **options})
    rng = np.random.default_rng(0)
    encoder.set_weights([rng.normal(scale=0.7, size=w.shape) for w in encoder.weights])
    return encoder


def norm(x, gamma, beta):
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-12) * gamma + beta


def reference(encoder, ids):
    """The docstring's formula in float64, for one text without padding."""
    words, positions = (
        np.float64(encoder.get_layer("embedding").get_weights()[0]),
        np.float64(encoder.get_layer("embedding").get_weights()[1]),
    )
    x = words[ids] + positions[: len(ids)]
    x = norm(x, *map(np.float64, encoder.get_layer("embedding_norm").get_weights()))
    gelu = np.vectorize(lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2))))
    for index in range(2):
        weights = [np.float64(w) for w in encoder.get_layer(f"layer_{index}").get_weights()]
        wq, bq, wk, bk, wv, bv, wo, bo, g1, b1, g2, b2, w1, c1, w2, c2 = weights
        attended = 0
        for head in range(2):
            q, k, v = (x @ w[:, head] + b[head] for w, b in ((wq, bq), (wk, bk), (wv, bv)))
            scores = np.exp(q @ k.T / 2)
            attended += scores / scores.sum(axis=1, keepdims=True) @ v @ wo[head]
        x = norm(x + attended + bo, g1, b1)
        x = norm(x + gelu(x @ w1 + c1) @ w2 + c2, g2, b2)
    return x


def test_encoder_matches_numpy_reference():
    encoder = make_encoder()
    output = keras.ops.convert_to_numpy(encoder(BATCH))
    for row, length in ((0, 4), (1, 3)):
        expected = reference(encoder, IDS[row, :length])
        np.testing.assert_allclose(output[row, :length], expected, atol=1e-4)


def test_padding_does_not_affect_real_tokens():
    encoder = make_encoder()
    expected = keras.ops.convert_to_numpy(encoder(BATCH))
    padded = {**BATCH, "token_ids": np.where(IDS > 0, IDS, 5)}
    output = keras.ops.convert_to_numpy(encoder(padded))
    np.testing.assert_allclose(
        output[BATCH["padding_mask"]], expected[BATCH["padding_mask"]], atol=1e-6
    )


def test_preset_round_trip(tmp_path):
    encoder = make_encoder()
    encoder.save_to_preset(str(tmp_path / "preset"))
    loaded = TextEncoder.from_preset(str(tmp_path / "preset"))
    assert loaded.get_config() == encoder.get_config()
    assert loaded.token_dim == 8
    expected = keras.ops.convert_to_numpy(encoder(BATCH))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(loaded(BATCH)), expected)


def test_frozen_encoder_has_no_trainable_variables(tmp_path):
    make_encoder().save_to_preset(str(tmp_path / "preset"))
    for frozen in (
        make_encoder(trainable=False),
        TextEncoder.from_preset(str(tmp_path / "preset"), trainable=False),
    ):
        assert not frozen.trainable_variables
        frozen.trainable = True
        assert len(frozen.trainable_variables) == len(frozen.weights)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_layers": 0}, "`num_layers` must be a positive integer"),
        ({"num_heads": 3}, "`num_heads` must divide `hidden_dim`"),
    ],
)
def test_invalid_arguments_raise(options, message):
    with pytest.raises(ValueError, match=message):
        make_encoder(**options)
