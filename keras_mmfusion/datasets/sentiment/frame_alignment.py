"""Aligns the features of frames to words by their time intervals."""

import numpy as np

# Shorter overlaps, in seconds, are rounding errors; the SDK's own epsilon.
EPSILON = 1e-5


def align_to_words(words, intervals, features):
    """Averages the frames of each word, weighted by the duration of their overlap.

    ```
    overlap[w, f] = max(0, min(end_w, end_f) - max(start_w, start_f))
    token[w] = Σ_f overlap[w, f] features[f] / Σ_f overlap[w, f]
    ```

    NaN and infinite values, such as the logarithms of 0 in COVAREP, are ignored; a dimension
    without a finite value is 0. The SDK weights all overlapping frames equally instead, so the
    results differ by the frames at the edges of a word.

    Args:
        words: float array `(words, 2)`. The start and end of each word, in seconds.
        intervals: float array `(frames, 2)`. The start and end of each frame.
        features: float array `(frames, dim)`.

    Returns:
        A tuple of the tokens, float32 `(words, dim)`, and their mask, bool `(words,)`. The mask is
        `False`, and the token zero, for a word without finite frame features.

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
    weights = compute_overlaps(words, intervals)
    finite = np.isfinite(features)
    sums = weights @ np.where(finite, features, 0.0)
    totals = weights @ finite.astype("float64")
    tokens = np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0)
    return tokens.astype("float32"), (totals > 0).any(axis=1)


def compute_overlaps(ones, others):
    """Computes the duration of the overlap of each pair of intervals.

    Args:
        ones: float array `(n, 2)`. The start and end of each interval.
        others: float array `(m, 2)`.

    Returns:
        Float array `(n, m)`. Overlaps of at most `EPSILON` are 0.
    """
    starts = np.maximum(ones[:, None, 0], others[None, :, 0])
    durations = np.minimum(ones[:, None, 1], others[None, :, 1]) - starts
    return np.where(durations > EPSILON, durations, 0.0)


def replace_nonfinite(features):
    """Replaces NaN and infinite features by 0.

    Args:
        features: float array `(tokens, dim)`.

    Returns:
        A tuple of the features, float32 `(tokens, dim)`, and a mask, bool `(tokens,)`, which is
        `False` for tokens without a finite value.
    """
    finite = np.isfinite(features)
    return np.where(finite, features, 0).astype("float32"), finite.any(axis=1)
