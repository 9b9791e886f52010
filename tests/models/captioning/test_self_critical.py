"""Inputs and weights of self-critical training."""

import numpy as np
import pytest

from keras_mmfusion.losses import SelfCriticalLoss
from keras_mmfusion.models.captioning.decoding.decoding_settings import SpecialTokens
from keras_mmfusion.models.captioning.training.self_critical import (
    _trim_padding,
    self_critical_targets,
)

START, END = 1, 2
REWARDS = np.array([[3.0, 1.0], [0.0, 4.0]])
ADVANTAGES = np.array([[2.0, -2.0], [-4.0, 4.0]])
LENGTHS = np.array([[3, 1], [2, 8]])  # With the end token, which the last caption lacks.
MASK = np.arange(8) < LENGTHS[..., None]


@pytest.fixture(params=[END, 0], ids=["pad_is_end", "pad_is_another_token"])
def special(request):
    return SpecialTokens(START, END, request.param)


@pytest.fixture
def ids(special):
    ids = np.full((2, 2, 8), special.pad)
    ids[0, 0, :3] = 5, 6, END
    ids[0, 1, 0] = END
    ids[1, 0, :2] = 7, END
    ids[1, 1] = 5, 6, 7, 8, 9, 5, 6, 7
    return ids


def test_tokens_up_to_the_end_have_the_advantage_as_weight(ids, special):
    inputs, weights = self_critical_targets(ids, REWARDS, special)
    expected = ADVANTAGES[..., None] * MASK / MASK.sum()
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert inputs[..., 0].tolist() == [[START] * 2] * 2
    np.testing.assert_array_equal(inputs[..., 1:], ids[..., :-1])


def test_the_end_of_a_caption_is_trained_but_no_padding(ids, special):
    logits = np.random.default_rng(0).normal(size=(*ids.shape, 10)).astype("float32")
    loss = SelfCriticalLoss(special.suppressed_token_ids)
    _, weights = self_critical_targets(ids, REWARDS, special)
    expected = float(loss(ids, logits, sample_weight=weights))
    logits[~MASK] += 9 * np.random.default_rng(1).normal(size=(np.sum(~MASK), 10))
    assert float(loss(ids, logits, sample_weight=weights)) == pytest.approx(expected, rel=1e-5)
    logits[0, 0, 2, END] += 1  # The end of a caption with a positive advantage.
    assert float(loss(ids, logits, sample_weight=weights)) < expected - 0.01


def test_common_padding_is_removed_to_a_multiple_of_4(ids, special):
    np.testing.assert_array_equal(_trim_padding(ids, special), ids)
    np.testing.assert_array_equal(_trim_padding(ids[:1], special), ids[:1, :, :4])
    ids[1, 1, 5:] = END, special.pad, special.pad
    np.testing.assert_array_equal(_trim_padding(ids[..., :7], special), ids[..., :7])
