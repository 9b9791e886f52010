"""The assignment solver, compared with all permutations."""

import itertools

import numpy as np
import pytest
from alignment_references import QUERY_MASK, VALUE_MASK
from layer_checks import to_numpy

from keras_mmfusion.layers.alignment import solve_assignment

RNG = np.random.default_rng(4)


def best_total(score):
    score = score if score.shape[0] <= score.shape[1] else score.T
    rows = np.arange(score.shape[0])
    return max(
        score[rows, list(columns)].sum()
        for columns in itertools.permutations(range(score.shape[1]), len(rows))
    )


def assert_best(plan, score, rows, columns):
    assert set(np.unique(plan)) <= {0, 1}
    assert plan.sum(axis=0).max() <= 1 and plan.sum(axis=1).max() <= 1
    assert not plan[~rows].any() and not plan[:, ~columns].any()
    assert plan.sum() == min(rows.sum(), columns.sum())
    expected = best_total(np.float64(score[np.ix_(rows, columns)]))
    np.testing.assert_allclose((plan * score).sum(), expected, atol=1e-5)


@pytest.mark.parametrize("swapped", [False, True])
def test_assignment_equals_the_best_permutation(swapped):
    # Small integers give ties and negative totals.
    score = np.concatenate([RNG.normal(size=(1, 4, 6)), RNG.integers(-3, 1, size=(2, 4, 6))])
    rows, columns = QUERY_MASK, VALUE_MASK
    if swapped:
        score, rows, columns = score.transpose(0, 2, 1), columns, rows
    plans = to_numpy(solve_assignment(score, rows, columns))
    for sample in zip(plans, score, rows, columns, strict=True):
        assert_best(*sample)


def test_batch_of_square_assignments():
    scores = RNG.normal(size=(20, 6, 6))
    plans = to_numpy(solve_assignment(scores))
    for plan, score in zip(plans, scores, strict=True):
        assert_best(plan, score, np.ones(6, "bool"), np.ones(6, "bool"))


def test_fully_masked_assignment_is_zeros():
    nan = np.full((1, 2, 3), np.nan)
    assert (to_numpy(solve_assignment(nan, np.zeros((1, 2), "bool"))) == 0).all()


def test_invalid_shape_raises():
    with pytest.raises(ValueError, match="solve_assignment: `score` must have the shape"):
        solve_assignment(np.ones((2, 2)))
