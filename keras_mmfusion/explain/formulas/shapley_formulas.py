"""Shapley values and interactions from the scores of coalitions, in NumPy."""

import math

import numpy as np


def list_coalitions(count):
    """Lists all coalitions of players: bool array `(2**count, count)`, row `i` has the bits of `i`.

    Example:

    >>> list_coalitions(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return (np.arange(2**count)[:, np.newaxis] >> np.arange(count)) % 2 == 1


def compute_shapley_values(scores):
    """Computes the Shapley value of each player.

    ```
    φ_i = Σ_S |S|! (n - |S| - 1)! / n! (v(S ∪ i) - v(S))      over the S without i
    ```

    Args:
        scores: float array `(2**n,)` of the coalitions of `list_coalitions`.

    Returns:
        Float64 array `(n,)`.
    """
    scores = np.asarray(scores, "float64")
    count = int(math.log2(len(scores)))
    rows = np.arange(len(scores))
    sizes = list_coalitions(count).sum(axis=1)
    values = np.zeros(count)
    for player in range(count):
        without = rows[(rows >> player) % 2 == 0]
        gains = scores[without + 2**player] - scores[without]
        values[player] = gains @ _weigh(sizes[without], count)
    return values


def compute_interactions(scores):
    """Computes the Shapley interaction index of each pair of players.

    ```
    I_ij = Σ_S |S|! (n - |S| - 2)! / (n - 1)! (v(S ∪ ij) - v(S ∪ i) - v(S ∪ j) + v(S))
    ```

    The sum is over the `S` without `i` and `j`.

    Args:
        scores: see `compute_shapley_values`.

    Returns:
        Symmetric float64 array `(n, n)` with zeros on the diagonal.
    """
    scores = np.asarray(scores, "float64")
    count = int(math.log2(len(scores)))
    rows = np.arange(len(scores))
    sizes = list_coalitions(count).sum(axis=1)
    interactions = np.zeros((count, count))
    for i in range(count):
        for j in range(i):
            without = rows[((rows >> i) % 2 == 0) & ((rows >> j) % 2 == 0)]
            both, first, second = (without + bits for bits in (2**i + 2**j, 2**i, 2**j))
            gains = scores[both] - scores[first] - scores[second] + scores[without]
            value = gains @ _weigh(sizes[without], count - 1)
            interactions[i, j] = interactions[j, i] = value
    return interactions


def _weigh(sizes, count):
    """Returns `s! (count - s - 1)! / count!` for each size `s` of a coalition."""
    table = [1 / (count * math.comb(count - 1, size)) for size in range(count)]
    return np.array(table)[sizes]


def draw_permutations(count, samples, seed):
    """Draws pairs of a random permutation of players and its reverse.

    Returns:
        Int array `(samples, 2, count)`.
    """
    rng = np.random.default_rng(seed)
    forward = np.stack([rng.permutation(count) for _ in range(samples)])
    return np.stack([forward, forward[:, ::-1]], axis=1)


def list_prefixes(permutations):
    """Returns the coalitions of the first `0 ... count` players of each permutation.

    Args:
        permutations: int array `(..., count)`.

    Returns:
        Bool array `(..., count + 1, count)`.

    Example:

    >>> list_prefixes(np.array([1, 0])).astype(int).tolist()
    [[0, 0], [0, 1], [1, 1]]
    """
    count = permutations.shape[-1]
    ranks = np.argsort(permutations, axis=-1)
    return ranks[..., np.newaxis, :] < np.arange(count + 1)[:, np.newaxis]


def estimate_shapley_values(permutations, scores):
    """Estimates Shapley values by the mean gains along permutations.

    Args:
        permutations: int array `(samples, 2, count)`, see `draw_permutations`.
        scores: float array `(samples, 2, count + 1)` of the coalitions of `list_prefixes`.

    Returns:
        The values and their standard errors, float64 arrays `(count,)`. The errors are those of the
        mean of independent pairs.
    """
    gains = np.diff(scores, axis=-1)
    by_player = np.take_along_axis(gains, np.argsort(permutations, axis=-1), axis=-1)
    pairs = by_player.mean(axis=1)
    errors = pairs.std(axis=0, ddof=1) / math.sqrt(len(pairs))
    return pairs.mean(axis=0), errors
