"""Linear canonical correlation analysis, which ends a training with `DeepCCALoss`."""

import numpy as np


def canonical_projections(a, b, regularization=1e-4):
    """The directions along which two batches of embeddings correlate most.

    With the covariances `S_ab`, and `S_aa`, `S_bb` with `r` added to their diagonals,

    ```
    U Σ Vᵀ = S_aa^-½ S_ab S_bb^-½,  W_a = S_aa^-½ U,  W_b = S_bb^-½ V
    ```

    `DeepCCALoss` is blind to linear maps of either side, so that cosines of the embeddings that it
    trains mean nothing; those of `(a - mean_a) W_a` and `(b - mean_b) W_b` do.

    Args:
        a, b: float arrays `(samples, dim_a)` and `(samples, dim_b)`, row `i` of one belonging to
            row `i` of the other; many more samples than dims.
        regularization: float, `r`.

    Returns:
        Two functions, of embeddings `(number, dim_a)` and `(number, dim_b)`: each gives
        `(number, min(dim_a, dim_b))`, the dims in the order of their correlation.

    Raises:
        ValueError: if the two are not arrays of as many rows, two at least.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.models.retrieval import canonical_projections
    >>> rng = np.random.default_rng(0)
    >>> image = rng.normal(size=(500, 3))
    >>> text = image @ rng.normal(size=(3, 3))  # The same, in other words.
    >>> of_image, of_text = canonical_projections(image, text, regularization=1e-9)
    >>> bool(np.allclose(of_image(image), of_text(text), atol=1e-3))
    True

    Reference:
        Hotelling, "Relations Between Two Sets of Variates", 1936; Andrew et al., "Deep Canonical
        Correlation Analysis", 2013, equations 2 to 5.
    """
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b) or len(a) < 2:
        raise ValueError(
            "`a` and `b` must be embeddings (samples, dim) of as many samples, two at least. "
            f"Received shapes: {a.shape} and {b.shape}"
        )
    means = a.mean(axis=0), b.mean(axis=0)
    centred = a - means[0], b - means[1]
    roots = [_inverse_root(x.T @ x / (len(x) - 1), regularization) for x in centred]
    between = centred[0].T @ centred[1] / (len(a) - 1)
    left, _, right = np.linalg.svd(roots[0] @ between @ roots[1], full_matrices=False)

    def projection(mean, kernel):
        return lambda x: ((np.asarray(x, "float64") - mean) @ kernel).astype("float32")

    return projection(means[0], roots[0] @ left), projection(means[1], roots[1] @ right.T)


def _inverse_root(covariance, regularization):
    values, vectors = np.linalg.eigh(covariance + regularization * np.eye(len(covariance)))
    return vectors / np.sqrt(values) @ vectors.T
