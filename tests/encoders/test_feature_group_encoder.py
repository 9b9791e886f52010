import keras
import numpy as np
import pytest
from layer_checks import run_layer_checks, to_numpy
from layers.fusion.token_references import gelu

from keras_mmfusion.encoders import FeatureGroupEncoder

RNG = np.random.default_rng(0)
DATA = RNG.normal(3, 2, (6, 7)).astype("float32")
GROUPS = [[0, 1, 2], [2, 5], [6]]


def make_encoder(dtype="float32", adapt=True):
    encoder = FeatureGroupEncoder(4, GROUPS, hidden_dims=(5,), dtype=dtype)
    if adapt:
        encoder.adapt(DATA)
    return encoder


def reference(encoder, data):
    """The MLP of each group in float64, on standardized features; NaN becomes the mean."""
    data = data.astype("float64")
    z = np.nan_to_num((data - DATA.astype("float64").mean(axis=0)) / DATA.std(axis=0))
    tokens = []
    for group, mlp in zip(GROUPS, encoder.encoders, strict=True):
        hidden, output = (
            [to_numpy(weight) for weight in dense.weights]
            for dense in (mlp.hidden[0], mlp.output_dense)
        )
        tokens.append(gelu(z[:, group] @ hidden[0] + hidden[1]) @ output[0] + output[1])
    return np.stack(tokens, axis=1)


def test_tokens_match_reference_with_missing_values():
    encoder, data = make_encoder(), DATA.copy()
    data[1, 2] = data[3, 6] = np.nan
    np.testing.assert_allclose(to_numpy(encoder(data)), reference(encoder, data), atol=1e-5)


def test_layer_checks(tmp_path):
    run_layer_checks(
        lambda dtype: FeatureGroupEncoder(4, GROUPS, hidden_dims=(5,), dtype=dtype),
        {"inputs": DATA, "mask": np.array([1, 1, 0, 1, 1, 0], "bool")},
        masks={"mask": "inputs"},
        folder=tmp_path,
    )


def test_features_of_other_groups_do_not_change_a_token():
    encoder, changed = make_encoder(), DATA.copy()
    changed[:, [3, 4, 6]] += 9
    before, after = to_numpy(encoder(DATA)), to_numpy(encoder(changed))
    np.testing.assert_allclose(before[:, :2], after[:, :2], atol=1e-6)
    assert np.abs(before[:, 2] - after[:, 2]).max() > 0.1


def test_invalid_groups_raise_an_error():
    with pytest.raises(ValueError, match="at least one index"):
        FeatureGroupEncoder(4, [[0], []])
    with pytest.raises(ValueError, match="`groups` must be an integer of at least 0"):
        FeatureGroupEncoder(4, [[-1]])
    with pytest.raises(ValueError, match="at least 10 features"):
        FeatureGroupEncoder(4, [[9]])(keras.ops.zeros((1, 9)))
