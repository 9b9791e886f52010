"""Entropic optimal transport, compared with a NumPy float64 reference and POT."""

import keras
import numpy as np
import pytest
from alignment_references import QUERY_MASK, VALUE_MASK, solve_unmasked, transport
from gradients import finite_differences, gradient
from layer_checks import to_numpy

from keras_mmfusion.layers.alignment import solve_optimal_transport

RNG = np.random.default_rng(3)
COST = RNG.random((3, 4, 6)).astype("float32")
# One sample, with different total masses.
ROW_MASS = np.array([[0.1, 0.2, 0.4, 0.3]], "float32")
COLUMN_MASS = np.array([[0.3, 0.1, 0.2, 0.1, 0.3, 0.5]], "float32")

each_problem = pytest.mark.parametrize(
    ("regularization", "penalty"), [(0.5, None), (0.05, None), (0.1, 1.0), (0.05, 0.1)]
)


@each_problem
def test_cost_and_plan_match_numpy_reference(regularization, penalty):
    cost, plan = solve_optimal_transport(
        COST, regularization, penalty, row_mask=QUERY_MASK, column_mask=VALUE_MASK
    )
    expected = solve_unmasked(
        lambda c: transport(c, regularization, penalty), COST, QUERY_MASK, VALUE_MASK
    )
    np.testing.assert_allclose(to_numpy(plan), expected, atol=1e-5)
    np.testing.assert_allclose(to_numpy(cost), (expected * COST).sum(axis=(1, 2)), atol=1e-5)


@pytest.mark.peers
@each_problem
def test_cost_and_plan_match_pot(regularization, penalty):
    ot = pytest.importorskip("ot", reason="POT is not installed")
    a, b, matrix = (np.float64(x[0]) for x in (ROW_MASS, COLUMN_MASS, COST))
    if penalty is None:
        b = b * a.sum() / b.sum()
        settings = {"method": "sinkhorn_log", "numItermax": 100000, "stopThr": 1e-12}
        expected = ot.sinkhorn(a, b, matrix, regularization, **settings)
    else:
        settings = {"numItermax": 100000, "stopThr": 1e-12}
        expected = ot.unbalanced.sinkhorn_unbalanced(
            a, b, matrix, regularization, penalty, **settings
        )
    cost, plan = solve_optimal_transport(COST[:1], regularization, penalty, ROW_MASS, COLUMN_MASS)
    np.testing.assert_allclose(to_numpy(plan)[0], expected, atol=1e-5)
    np.testing.assert_allclose(to_numpy(cost)[0], (expected * matrix).sum(), atol=1e-5)


@each_problem
def test_gradients_match_finite_differences(regularization, penalty):
    slopes = RNG.normal(size=COST[0].shape).astype("float32")
    weights = keras.ops.convert_to_tensor(slopes)

    def loss(cost, row_mass, column_mass):
        value, plan = solve_optimal_transport(cost, regularization, penalty, row_mass, column_mass)
        return keras.ops.sum(value) + keras.ops.sum(weights * plan)

    def expected(cost, row_mass, column_mass):
        plan = transport(cost[0], regularization, penalty, row_mass[0], column_mass[0])
        return ((cost[0] + slopes) * plan).sum()

    arguments = COST[:1], ROW_MASS, COLUMN_MASS
    for slope, expected_slope in zip(
        gradient(loss, *arguments), finite_differences(expected, *arguments), strict=True
    ):
        np.testing.assert_allclose(slope, expected_slope, rtol=1e-3, atol=1e-4)


def test_masked_tokens_have_no_gradient():
    cost = np.where(QUERY_MASK[:, :, None] & VALUE_MASK[:, None], COST, np.nan)
    weights = keras.ops.convert_to_tensor(RNG.normal(size=COST.shape).astype("float32"))

    def loss(cost):
        masks = {"row_mask": QUERY_MASK, "column_mask": VALUE_MASK}
        return keras.ops.sum(weights * solve_optimal_transport(cost, **masks)[1])

    [slopes] = gradient(loss, cost)
    np.testing.assert_array_equal(np.isfinite(slopes), True)
    np.testing.assert_array_equal(slopes != 0, ~np.isnan(cost))


def test_gradient_of_a_sharp_plan_is_finite():
    cost = np.float32([[[0, 1, 1], [1, 0, 1], [1, 1, 0]]])

    def loss(cost):
        return keras.ops.sum(keras.ops.square(solve_optimal_transport(cost, 1e-3)[1]))

    np.testing.assert_allclose(
        to_numpy(solve_optimal_transport(cost, 1e-3)[1])[0], np.eye(3) / 3, atol=1e-5
    )
    np.testing.assert_allclose(gradient(loss, cost)[0], 0, atol=1e-3)


@pytest.mark.parametrize("penalty", [None, 0.5])
def test_fully_masked_problem_gives_zeros_without_gradient(penalty):
    cost = np.full((2, 2, 3), np.nan, "float32")
    mask = np.zeros((2, 2), "bool")

    def solve(cost):
        return solve_optimal_transport(cost, marginal_penalty=penalty, row_mask=mask)

    value, plan = solve(cost)
    assert (to_numpy(value) == 0).all() and (to_numpy(plan) == 0).all()
    [slopes] = gradient(lambda cost: sum(map(keras.ops.sum, solve(cost))), cost)
    assert (slopes == 0).all()


def test_sums_of_the_plan_equal_the_masses():
    _, plan = solve_optimal_transport(COST[:1], 0.1, None, ROW_MASS, COLUMN_MASS)
    plan = to_numpy(plan)
    np.testing.assert_allclose(plan.sum(axis=2), ROW_MASS, atol=1e-5)
    shares = COLUMN_MASS * ROW_MASS.sum() / COLUMN_MASS.sum()
    np.testing.assert_allclose(plan.sum(axis=1), shares, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cost": COST[0]}, "solve_optimal_transport: `cost` must have the shape"),
        ({"cost": COST, "regularization": -1}, "`regularization` must be a positive number"),
        ({"cost": COST, "marginal_penalty": 0}, "`marginal_penalty` must be a positive number"),
        ({"cost": COST, "max_iterations": 0}, "`max_iterations` must be a positive integer"),
        ({"cost": COST, "tolerance": 0}, "`tolerance` must be a positive number"),
        ({"cost": COST, "row_mass": COLUMN_MASS}, "`row_mass` must have the shape"),
        ({"cost": COST, "column_mask": QUERY_MASK}, "`column_mask` must have the shape"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        solve_optimal_transport(**arguments)
