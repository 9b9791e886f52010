"""Gradient methods against closed forms and NumPy in float64."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.explain.equal_batches import make_equal_batches
from keras_mmfusion.explain.formulas.activation_formulas import (
    compute_grad_cam,
    compute_grad_cam_plus_plus,
)
from keras_mmfusion.explain.formulas.gradient_average import smooth_gradients
from keras_mmfusion.explain.formulas.gradient_integral import integrate_gradients
from keras_mmfusion.explain.internals.watched_gradients import compile_gradients, compute_gradients


@pytest.fixture(scope="module")
def quadratic():
    """`F(a, b) = a · M a + (c · b)³`, with the functions of its scores and gradients."""
    rng = np.random.default_rng(0)
    matrix, vector = rng.normal(size=(3, 3)), rng.normal(size=(2, 2))
    inputs = {"a": rng.normal(size=3), "b": rng.normal(size=(2, 2))}
    baselines = {"a": rng.normal(size=3), "b": np.zeros((2, 2))}

    def compute(x):
        a, b = np.float64(x["a"]), np.float64(x["b"])
        product = np.einsum("nij,ij->n", b, vector)
        scores = np.einsum("ni,ij,nj->n", a, matrix, a) + product**3
        gradients = {
            "a": a @ (matrix + matrix.T),
            "b": 3 * product[:, None, None] ** 2 * vector,
        }
        return scores, gradients

    return compute, matrix, vector, inputs, baselines


def test_gradients_of_intermediate_tensors_equal_closed_form():
    variable = keras.Variable(np.zeros((2, 2)), dtype="float32")

    def function(watch, inputs, factor):
        x = watch(inputs["x"])
        hidden = watch(ops.matmul(x, variable) ** 2)
        return factor[:, 0] * ops.sum(hidden**2, axis=1)

    run = compile_gradients(function, [variable])
    for kernel in ([[1.0, -2.0], [3.0, 0.5]], [[0.5, 1.0], [-1.0, 2.0]]):
        variable.assign(kernel)  # A compiled function uses the new values.
        kernel = np.array(kernel)
        x, factor = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([[2.0], [3.0]])
        product = x @ kernel
        output, watched, gradients = run({"x": np.float32(x)}, np.float32(factor))
        expected = factor[:, 0] * np.sum(product**4, axis=1)
        np.testing.assert_allclose(ops.convert_to_numpy(output), expected, rtol=1e-5)
        np.testing.assert_allclose(ops.convert_to_numpy(watched[1]), product**2, rtol=1e-5)
        by_input = (factor * 4 * product**3) @ kernel.T
        np.testing.assert_allclose(ops.convert_to_numpy(gradients[0]), by_input, rtol=1e-5)
        by_hidden = factor * 2 * product**2
        np.testing.assert_allclose(ops.convert_to_numpy(gradients[1]), by_hidden, rtol=1e-5)


def test_inputs_without_effect_have_zero_gradients():
    inputs = {"x": np.ones((2, 3)), "unused": np.ones((2, 4))}
    output, gradients = compute_gradients(lambda each: ops.sum(each["x"], axis=1), inputs)
    np.testing.assert_array_equal(output, [3, 3])
    np.testing.assert_array_equal(gradients["x"], np.ones((2, 3)))
    np.testing.assert_array_equal(gradients["unused"], np.zeros((2, 4)))


def test_equal_batches_contain_each_row_once():
    for count, size in ((1, 1), (5, 4), (34, 32), (64, 32), (7, 100)):
        batches = list(make_equal_batches(count, size))
        assert len({len(rows) for rows, _ in batches}) == 1
        assert max(len(rows) for rows, _ in batches) <= size
        seen = np.concatenate([rows[valid] for rows, valid in batches])
        np.testing.assert_array_equal(seen, np.arange(count))


@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_integrated_gradients_of_polynomial_are_exact(quadratic, batch_size):
    compute, matrix, vector, inputs, baselines = quadratic
    path = integrate_gradients(compute, inputs, baselines, steps=4, batch_size=batch_size)
    change = inputs["a"] - baselines["a"]
    # The gradient of a quadratic form is linear: its mean on the line is that of the two ends.
    mean_gradient = (matrix + matrix.T) @ (inputs["a"] + baselines["a"]) / 2
    np.testing.assert_allclose(path.values["a"], change * mean_gradient, rtol=1e-5, atol=1e-6)
    product = np.sum(vector * inputs["b"])
    np.testing.assert_allclose(path.values["b"], inputs["b"] * vector * product**2, rtol=1e-5)
    assert abs(path.completeness_error) < 1e-5 * abs(path.score - path.base_score)


def test_completeness_error_falls_with_steps():
    def compute(x):
        return np.tanh(6 * x["a"][:, 0]), {"a": 6 / np.cosh(6 * x["a"]) ** 2}

    inputs, baselines = {"a": np.array([1.0])}, {"a": np.array([-0.3])}
    errors = [
        abs(integrate_gradients(compute, inputs, baselines, steps).completeness_error)
        for steps in (2, 4, 16)
    ]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    assert errors[2] < 1e-4


def test_smooth_gradients_of_quadratic_equal_gradient_at_mean_of_noisy_inputs(quadratic):
    compute, matrix, _, inputs, _ = quadratic
    inputs = {"a": inputs["a"], "b": np.zeros((2, 2))}
    values = [smooth_gradients(compute, inputs, 10, 0.2, 3, size) for size in (3, 10)]
    for name in inputs:
        np.testing.assert_allclose(values[0][name], values[1][name], rtol=1e-5, atol=1e-7)
    noise = np.random.default_rng([3, 0]).standard_normal((10, 3), "float32")
    mean = inputs["a"] + 0.2 * np.ptp(inputs["a"]) * noise.mean(axis=0)
    np.testing.assert_allclose(values[0]["a"], (matrix + matrix.T) @ mean, rtol=1e-5)


def test_inputs_without_known_values_have_no_noise_and_no_gradient():
    inputs = {"a": np.full(3, np.nan, "float32")}
    values = smooth_gradients(lambda x: (np.zeros(len(x["a"])), {"a": x["a"]}), inputs, 4)
    np.testing.assert_array_equal(values["a"], np.zeros(3))


def test_class_activation_maps_equal_loops_over_positions():
    rng = np.random.default_rng(0)
    activations, gradients = rng.normal(size=(2, 3, 4, 5))
    gradients[0, :, 0] = 0.0
    for sample, (maps, slopes) in enumerate(zip(activations, gradients, strict=True)):
        weights, plus_weights = np.zeros(5), np.zeros(5)
        for k in range(5):
            for position in range(4):
                g = slopes[position, k]
                weights[k] += g / 4
                if g:
                    alpha = g**2 / (2 * g**2 + g**3 * maps[:, k].sum())
                    plus_weights[k] += alpha * max(g, 0)
        expected = np.maximum(maps @ weights, 0)
        result = compute_grad_cam(activations, gradients)[sample]
        np.testing.assert_allclose(result, expected, atol=1e-12)
        expected = np.maximum(maps @ plus_weights, 0)
        result = compute_grad_cam_plus_plus(activations, gradients)[sample]
        np.testing.assert_allclose(result, expected, atol=1e-12)
