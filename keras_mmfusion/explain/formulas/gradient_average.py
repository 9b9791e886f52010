"""SmoothGrad: the gradients of any function, averaged over noise."""

import numpy as np

from keras_mmfusion.explain.equal_batches import make_equal_batches


def smooth_gradients(compute, inputs, samples=32, noise=0.15, seed=0, batch_size=32):
    """Averages the gradients of a score at inputs with Gaussian noise (SmoothGrad).

    ```
    value = 1/n Σ_k ∂F(x + ε_k) / ∂x          ε_k ~ N(0, σ²),  σ = noise (max(x) - min(x))
    ```

    Each input has its own σ. NaN, a missing value, has a gradient of 0. The result does not depend
    on `batch_size`.

    Args:
        compute: see `integrate_gradients`.
        inputs: dict of float arrays, without a batch axis.
        samples: int. Number `n` of noisy inputs.
        noise: float. The standard deviation of the noise relative to the range of an input.
        seed: int.
        batch_size: int. Maximum number of samples in a call of `compute`.

    Returns:
        Dict of float64 arrays like `inputs`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.explain.formulas.gradient_average import smooth_gradients
    >>> values = smooth_gradients(
    ...     lambda x: (x["a"].sum(axis=1), {"a": np.ones_like(x["a"])}),
    ...     {"a": np.array([1.0, 3.0])})
    >>> values["a"].tolist()
    [1.0, 1.0]

    Reference:
        Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017, section 2.1 and the
        noise level of section 3.2.
    """
    inputs = {name: np.asarray(x, "float32") for name, x in inputs.items()}
    generators = {name: np.random.default_rng([seed, i]) for i, name in enumerate(inputs)}
    totals = {name: np.zeros(x.shape) for name, x in inputs.items()}
    for _, valid in make_equal_batches(samples, batch_size):
        noisy = {
            name: x
            + np.float32(noise * _compute_range(x))
            * generators[name].standard_normal((len(valid), *x.shape), "float32")
            for name, x in inputs.items()
        }
        _, gradients = compute(noisy)
        for name, gradient in gradients.items():
            totals[name] += np.tensordot(np.float64(valid), np.nan_to_num(gradient), axes=1)
    return {name: total / samples for name, total in totals.items()}


def _compute_range(x):
    known = x[~np.isnan(x)]
    return np.ptp(known) if known.size else 0.0
