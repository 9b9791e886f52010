"""Soft dynamic time warping, compared with a NumPy float64 reference and tslearn."""

import keras
import numpy as np
import pytest
from alignment_references import (
    QUERY,
    QUERY_MASK,
    VALUE,
    VALUE_MASK,
    soft_dtw,
    solve_unmasked,
    squared_distances,
)
from gradients import finite_differences, gradient
from layer_checks import to_numpy

from keras_mmfusion.layers.alignment import solve_soft_dtw

COST = squared_distances(QUERY, VALUE).astype("float32")


def reference_plan(cost, gamma):
    return solve_unmasked(lambda c: soft_dtw(c, gamma)[1], cost, QUERY_MASK, VALUE_MASK)


def reference_value(cost, gamma):
    return solve_unmasked(lambda c: soft_dtw(c, gamma)[0], cost, QUERY_MASK, VALUE_MASK).max(
        axis=(1, 2)
    )


@pytest.mark.parametrize("gamma", [1.0, 0.1, 0.01])
def test_value_and_plan_match_numpy_reference(gamma):
    value, plan = solve_soft_dtw(COST, gamma, QUERY_MASK, VALUE_MASK)
    np.testing.assert_allclose(to_numpy(value), reference_value(COST, gamma), rtol=1e-5)
    np.testing.assert_allclose(to_numpy(plan), reference_plan(COST, gamma), atol=1e-5)


@pytest.mark.peers
@pytest.mark.parametrize("gamma", [1.0, 0.01])
def test_value_and_plan_match_tslearn(gamma):
    metrics = pytest.importorskip("tslearn.metrics", reason="tslearn is not installed")
    value, plan = solve_soft_dtw(COST, gamma)
    for i, (x, y) in enumerate(zip(QUERY, VALUE, strict=True)):
        path, expected = metrics.soft_dtw_alignment(np.float64(x), np.float64(y), gamma=gamma)
        np.testing.assert_allclose(to_numpy(value)[i], expected, rtol=1e-6, atol=1e-5)
        np.testing.assert_allclose(to_numpy(plan)[i], path, atol=1e-5)


def test_gradients_match_finite_differences():
    slopes = np.random.default_rng(1).normal(size=COST.shape).astype("float32")
    weights = keras.ops.convert_to_tensor(slopes)

    def loss(cost):
        value, plan = solve_soft_dtw(cost, 0.7, QUERY_MASK, VALUE_MASK)
        return keras.ops.sum(keras.ops.sin(value)) + keras.ops.sum(weights * plan)

    def expected(cost):
        values, plans = reference_value(cost, 0.7), reference_plan(cost, 0.7)
        return np.sin(values).sum() + (slopes * plans).sum()

    np.testing.assert_allclose(gradient(loss, COST), finite_differences(expected, COST), atol=1e-4)


def test_long_sequences_keep_float32_precision():
    cost = np.random.default_rng(2).random((1, 200, 150)).astype("float32") + 10
    value, plan = solve_soft_dtw(cost, 0.5)
    expected, path = soft_dtw(np.float64(cost[0]), 0.5)
    np.testing.assert_allclose(to_numpy(value), [expected], rtol=1e-5)
    np.testing.assert_allclose(to_numpy(plan)[0], path, atol=1e-4)


def test_fully_masked_problem_gives_zeros_without_gradient():
    cost = np.full((1, 2, 3), np.nan, "float32")
    mask = np.zeros((1, 2), "bool")
    value, plan = solve_soft_dtw(cost, row_mask=mask)
    assert (to_numpy(value) == 0).all() and (to_numpy(plan) == 0).all()

    def loss(cost):
        value, plan = solve_soft_dtw(cost, row_mask=mask)
        return keras.ops.sum(value) + keras.ops.sum(plan)

    assert (gradient(loss, cost)[0] == 0).all()


def test_unknown_lengths_in_a_traced_function():
    if keras.config.backend() != "tensorflow":
        pytest.skip("Only TensorFlow traces unknown lengths.")
    import tensorflow as tf

    shape = tf.TensorSpec((None, None, None))
    solve = tf.function(lambda cost: solve_soft_dtw(cost), input_signature=[shape])
    for size in (4, 2):
        plan, expected = solve(COST[:, :size])[1], solve_soft_dtw(COST[:, :size])[1]
        np.testing.assert_allclose(to_numpy(plan), to_numpy(expected), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cost": COST[0]}, r"solve_soft_dtw: `cost` must have the shape \(batch, rows, columns\)"),
        ({"cost": COST, "gamma": 0}, "solve_soft_dtw: `gamma` must be a positive number"),
        ({"cost": COST, "gamma": float("nan")}, "`gamma` must be a positive number"),
        ({"cost": COST, "row_mask": VALUE_MASK}, r"`row_mask` must have the shape .* \(3, 4\)"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        solve_soft_dtw(**arguments)
