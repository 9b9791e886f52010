import keras
import numpy as np
import pytest

from keras_mmfusion.losses import SelfCriticalLoss

LOGITS = np.array([[[0.5, -1.0, 2.0, 0.1], [1.5, 0.3, -0.2, 0.9]]], "float32")
TOKENS = np.array([[1, 3]])
ADVANTAGES = np.array([[0.7, -1.2]], "float32")


def log_softmax(logits):
    logits = logits.astype("float64")
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def test_it_is_the_formula_over_the_tokens_that_can_be_drawn():
    log_probs = log_softmax(np.delete(LOGITS, 2, axis=-1))
    expected = -(0.7 * log_probs[0, 0, 1] - 1.2 * log_probs[0, 1, 2])
    found = SelfCriticalLoss(blocked=(2,))(TOKENS, LOGITS, ADVANTAGES)
    assert float(found) == pytest.approx(expected, abs=1e-5)


def test_blocked_tokens_get_no_gradient_and_change_nothing():
    loss = SelfCriticalLoss(blocked=(2,))
    other = LOGITS.copy()
    other[..., 2] = 50.0
    assert float(loss(TOKENS, LOGITS, ADVANTAGES)) == float(loss(TOKENS, other, ADVANTAGES))


def test_padding_of_weight_zero_costs_nothing():
    tokens = np.array([[1, 2]])
    found = SelfCriticalLoss(blocked=(2,))(tokens, LOGITS, np.array([[0.7, 0.0]], "float32"))
    alone = SelfCriticalLoss(blocked=(2,))(tokens[:, :1], LOGITS[:, :1], ADVANTAGES[:, :1])
    assert float(found) == pytest.approx(float(alone), abs=1e-6)


def test_config_round_trip():
    loss = SelfCriticalLoss(blocked=(0, 3), name="reward")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert (copy.blocked, copy.name, copy.reduction) == ((0, 3), "reward", "sum")
