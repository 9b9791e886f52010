"""Linear canonical correlation analysis of embeddings trained with `DeepCCALoss`."""

import numpy as np


def canonical_projections(a, b, regularization=1e-4):
    """Computes the projections that maximize the correlation of two sets of embeddings.

    With the covariances `S_ab`, and `S_aa`, `S_bb` with `r` added to their diagonals,

    ```
    U Σ Vᵀ = S_aa^-½ S_ab S_bb^-½,  W_a = S_aa^-½ U,  W_b = S_bb^-½ V
    ```

    `DeepCCALoss` is invariant to linear maps of either side, so that cosine similarities of its
    embeddings are arbitrary. Compare `(a - mean_a) W_a` and `(b - mean_b) W_b` instead.

    Args:
        a, b: float arrays `(samples, dim_a)` and `(samples, dim_b)` with matching rows. They need
            many more samples than dims.
        regularization: float, `r`.

    Returns:
        Two functions, for embeddings `(rows, dim_a)` and `(rows, dim_b)`. Each returns
        `(rows, min(dim_a, dim_b))`, with the dims sorted by correlation.

    Raises:
        ValueError: if `a` and `b` are not matrices with the same number of rows, at least two.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.models.retrieval import canonical_projections
    >>> rng = np.random.default_rng(0)
    >>> image = rng.normal(size=(500, 3))
    >>> text = image @ rng.normal(size=(3, 3))
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
            "`a` and `b` must be embeddings (samples, dim) of the same samples, at least two. "
            f"Received shapes: {a.shape} and {b.shape}"
        )
    means = a.mean(axis=0), b.mean(axis=0)
    centered = a - means[0], b - means[1]
    roots = [_inverse_root(x.T @ x / (len(x) - 1), regularization) for x in centered]
    between = centered[0].T @ centered[1] / (len(a) - 1)
    left, _, right = np.linalg.svd(roots[0] @ between @ roots[1], full_matrices=False)

    def projection(mean, kernel):
        return lambda x: ((np.asarray(x, "float64") - mean) @ kernel).astype("float32")

    return projection(means[0], roots[0] @ left), projection(means[1], roots[1] @ right.T)


def _inverse_root(covariance, regularization):
    values, vectors = np.linalg.eigh(covariance + regularization * np.eye(len(covariance)))
    return vectors / np.sqrt(values) @ vectors.T
