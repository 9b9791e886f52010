"""Models with permuted weights."""

import contextlib

import numpy as np


@contextlib.contextmanager
def permute_weights(model, seed=0):
    """Within the block, the numbers of each weight of a model are in a random order.

    This keeps the distribution of each weight. The weights are restored afterwards.

    Args:
        model: built Keras model.
        seed: int.
    """
    rng = np.random.default_rng(seed)
    weights = model.get_weights()
    try:
        model.set_weights([_permute(rng, weight) for weight in weights])
        yield
    finally:
        model.set_weights(weights)


def _permute(rng, weight):
    # Constants, such as counters of random numbers, stay as they are.
    if weight.dtype.kind != "f" or weight.ndim == 0:
        return weight
    return rng.permutation(weight.ravel()).reshape(weight.shape)


def compute_rank_correlation(one, other):
    """Computes Spearman's rank correlation; 0 if one of the arrays is constant.

    Args:
        one, other: float arrays with the same number of values.

    Example:

    >>> import numpy as np
    >>> compute_rank_correlation(np.array([1.0, 2.0, 9.0]), np.array([0.0, 3.0, 4.0]))
    1.0
    """
    ranks = [_rank(np.ravel(x)) for x in (one, other)]
    ranks = [x - x.mean() for x in ranks]
    scale = np.sqrt(np.prod([np.sum(x**2) for x in ranks]))
    return float(ranks[0] @ ranks[1] / scale) if scale else 0.0


def _rank(x):
    """Returns ranks; equal values have the mean of their ranks."""
    _, index, counts = np.unique(x, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[index]
