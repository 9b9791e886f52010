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


def test_loss_is_a_softmax_over_unblocked_tokens():
    log_probs = log_softmax(np.delete(LOGITS, 2, axis=-1))
    expected = -(0.7 * log_probs[0, 0, 1] - 1.2 * log_probs[0, 1, 2])
    loss = SelfCriticalLoss(blocked=(2,))(TOKENS, LOGITS, ADVANTAGES)
    assert float(loss) == pytest.approx(expected, abs=1e-5)


def test_logits_of_blocked_tokens_do_not_affect_the_loss():
    loss = SelfCriticalLoss(blocked=(2,))
    other = LOGITS.copy()
    other[..., 2] = 50.0
    assert float(loss(TOKENS, LOGITS, ADVANTAGES)) == float(loss(TOKENS, other, ADVANTAGES))


def test_padding_with_weight_zero_adds_nothing():
    tokens = np.array([[1, 2]])
    padded = SelfCriticalLoss(blocked=(2,))(tokens, LOGITS, np.array([[0.7, 0.0]], "float32"))
    unpadded = SelfCriticalLoss(blocked=(2,))(tokens[:, :1], LOGITS[:, :1], ADVANTAGES[:, :1])
    assert float(padded) == pytest.approx(float(unpadded), abs=1e-6)


def test_config_round_trip():
    loss = SelfCriticalLoss(blocked=(0, 3), name="reward")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert (copy.blocked, copy.name, copy.reduction) == ((0, 3), "reward", "sum")
