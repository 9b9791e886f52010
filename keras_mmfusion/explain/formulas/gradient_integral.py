"""Integrated gradients of any function."""

import typing

import numpy as np

from keras_mmfusion.explain.equal_batches import make_equal_batches


class IntegratedPath(typing.NamedTuple):
    """Integrated gradients of a score.

    Args:
        values: dict of float64 arrays like the inputs.
        score: float. The score of the inputs.
        base_score: float. The score of the baselines.
    """

    values: dict
    score: float
    base_score: float

    @property
    def completeness_error(self):
        """Difference between the sum of all values and `score - base_score`; 0 if exact."""
        total = sum(float(np.sum(x)) for x in self.values.values())
        return total - (self.score - self.base_score)


def integrate_gradients(compute, inputs, baselines, steps=32, batch_size=32):
    """Computes integrated gradients on the line from baselines to inputs.

    ```
    value_i = (x_i - b_i) ∫ ∂F(b + α (x - b)) / ∂x_i dα          α from 0 to 1
    Σ_i value_i = F(x) - F(b)
    ```

    All inputs move along the line together. NaN is a missing value: it stays missing, with a value
    of 0, and the line starts at 0 where only the baseline is NaN. The integral is a Gauss-Legendre
    sum, which is exact for polynomials of a degree below `2 * steps`.

    Args:
        compute: function of a dict of float32 arrays with a batch axis that returns scores
            `(batch,)` and a dict of the gradients of their sum, as NumPy arrays.
        inputs: dict of float arrays, without a batch axis.
        baselines: dict of float arrays like `inputs`.
        steps: int. Number of points of the sum.
        batch_size: int. Maximum number of points in a call of `compute`.

    Returns:
        `IntegratedPath`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.explain.formulas.gradient_integral import integrate_gradients
    >>> path = integrate_gradients(
    ...     lambda x: (np.sum(x["a"] ** 2, axis=1), {"a": 2 * x["a"]}),
    ...     {"a": np.array([1.0, 3.0])}, {"a": np.array([0.0, 0.0])}, steps=4)
    >>> path.values["a"].round(5).tolist(), round(path.score - path.base_score, 5)
    ([1.0, 9.0], 10.0)

    Reference:
        Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", 2017, equation 1 and
        proposition 1.
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    # The two ends have no weight; they give the scores.
    positions = np.concatenate([[0.0, 1.0], (nodes + 1) / 2])
    weights = np.concatenate([[0.0, 0.0], weights / 2])
    starts, changes = {}, {}
    for name, x in inputs.items():
        x, start = np.asarray(x, "float32"), np.asarray(baselines[name], "float32")
        start = np.where(np.isnan(start), 0.0, start)
        starts[name] = start = np.where(np.isnan(x), x, start)
        changes[name] = np.where(np.isnan(x), 0.0, x - start)
    totals = {name: np.zeros(x.shape) for name, x in changes.items()}
    scores = []
    for rows, valid in make_equal_batches(len(positions), batch_size):
        points = {
            name: starts[name] + np.multiply.outer(np.float32(positions[rows]), change)
            for name, change in changes.items()
        }
        batch_scores, gradients = compute(points)
        scores.extend(np.asarray(batch_scores, "float64")[valid])
        for name, gradient in gradients.items():
            totals[name] += np.tensordot(weights[rows] * valid, np.nan_to_num(gradient), axes=1)
    values = {name: changes[name] * total for name, total in totals.items()}
    return IntegratedPath(values, float(scores[1]), float(scores[0]))
