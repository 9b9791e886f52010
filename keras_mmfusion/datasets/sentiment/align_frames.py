"""Features of frames to features of words, by their times."""

import numpy as np

# Overlaps of less are rounding of the times: the SDK's epsilon, in seconds.
EPSILON = 1e-5


def align_to_words(words, intervals, features):
    """Averages frames over each word, weighted by how long they overlap it.

    ```
    overlap[w, f] = max(0, min(end_w, end_f) - max(start_w, start_f))
    token[w] = Σ_f overlap[w, f] features[f] / Σ_f overlap[w, f]
    ```

    NaN and infinity, such as the logarithms of 0 in COVAREP, are left out of the sums of their
    dimension, which is 0 where nothing is left. The SDK's own average counts each frame that
    touches a word alike; the two differ by the frames at a word's edges.

    Args:
        words: float array `(words, 2)`: start and end of each, in seconds.
        intervals: float array `(frames, 2)`.
        features: float array `(frames, dim)`.

    Returns:
        A tuple of tokens, float32 `(words, dim)`; and a bool array `(words,)`, `False` for a word
        without a frame that has a finite number, whose token is zeros.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import align_to_words
    >>> words = np.array([[0.0, 1.0], [1.0, 2.0], [5.0, 6.0]])
    >>> frames = np.array([[0.0, 0.75], [0.75, 1.75], [1.75, 2.5]])
    >>> tokens, mask = align_to_words(words, frames, np.array([[4.0], [8.0], [-np.inf]]))
    >>> tokens[:, 0].tolist(), mask.tolist()
    ([5.0, 8.0, 0.0], [True, True, False])

    Reference:
        Chen et al., "Multimodal Sentiment Analysis with Word-Level Fusion and Reinforcement
        Learning", 2017, section 3.1.
    """
    weights = overlaps(words, intervals)
    finite = np.isfinite(features)
    sums = weights @ np.where(finite, features, 0.0)
    totals = weights @ finite.astype("float64")
    tokens = np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0)
    return tokens.astype("float32"), (totals > 0).any(axis=1)


def overlaps(ones, others):
    """How long each of some intervals overlaps each of others.

    Args:
        ones: float array `(n, 2)`: start and end.
        others: float array `(m, 2)`.

    Returns:
        Float array `(n, m)`, 0 for what is no longer than `EPSILON`.
    """
    starts = np.maximum(ones[:, None, 0], others[None, :, 0])
    found = np.minimum(ones[:, None, 1], others[None, :, 1]) - starts
    return np.where(found > EPSILON, found, 0.0)


def finite_tokens(features):
    """Features with 0 for NaN and infinity.

    Args:
        features: float array `(tokens, dim)`.

    Returns:
        A tuple of a float32 array of that shape; and a bool array `(tokens,)`, `False` for a token
        without a finite number.
    """
    finite = np.isfinite(features)
    return np.where(finite, features, 0).astype("float32"), finite.any(axis=1)
