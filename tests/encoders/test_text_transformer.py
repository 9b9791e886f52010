import keras
import numpy as np
import pytest

from keras_mmfusion.encoders import TextTransformer

SIZES = {
    "vocabulary_size": 20,
    "dim": 12,
    "num_layers": 2,
    "num_heads": 3,
    "mlp_dim": 16,
    "max_sequence_length": 8,
}
IDS = np.array([[3, 7, 9, 4, 5, 1], [5, 2, 1, 0, 0, 0]])
MASK = (np.cumsum(IDS == 1, axis=1) - (IDS == 1) == 0).astype("int32")


def encode(encoder, ids, mask):
    return keras.ops.convert_to_numpy(encoder({"token_ids": ids, "padding_mask": mask}))


@pytest.mark.parametrize("causal", [True, False])
def test_padding_does_not_change_the_tokens(causal):
    encoder = TextTransformer(**SIZES, causal=causal)
    tokens = encode(encoder, IDS, MASK)
    single = encode(encoder, IDS[1:, :3], MASK[1:, :3])
    np.testing.assert_allclose(tokens[1, :3], single[0], atol=1e-5)


@pytest.mark.parametrize("causal", [True, False])
def test_causal_tokens_do_not_depend_on_later_ones(causal):
    encoder = TextTransformer(**SIZES, causal=causal)
    changed = IDS.copy()
    changed[0, 4] = 11
    difference = encode(encoder, changed, MASK)[0] - encode(encoder, IDS, MASK)[0]
    assert np.allclose(difference[:4], 0, atol=1e-6) == causal
    assert np.abs(difference[4]).max() > 0.01


def test_config_and_keras_file_round_trip(tmp_path):
    encoder = TextTransformer(**SIZES, causal=False, activation="gelu", epsilon=1e-6)
    assert TextTransformer.from_config(encoder.get_config()).get_config() == encoder.get_config()
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(encode(loaded, IDS, MASK), encode(encoder, IDS, MASK))


def test_invalid_size_raises():
    with pytest.raises(ValueError, match="`num_layers` must be a positive integer"):
        TextTransformer(**{**SIZES, "num_layers": 0})
