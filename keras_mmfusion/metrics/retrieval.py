"""Retrieval metrics between two modalities, in both directions."""

import numpy as np

from keras_mmfusion.metrics.comparable_values import check_not_nan

RECALLS = (1, 5, 10)


def best_ranks(similarities, relevant):
    """Computes the rank of the first relevant candidate of each query, from 1.

    In a tie, irrelevant candidates rank higher, so a model with constant scores gets the worst
    ranks.

    Args:
        similarities: float array `(queries, candidates)`.
        relevant: bool array `(queries, candidates)` with at least one `True` per query.

    Returns:
        An int array `(queries,)`.

    Raises:
        ValueError: if the shapes differ, a score is NaN, there are no candidates, `relevant` is
            neither bool nor 0 and 1, or a query has no relevant candidate.

    Example:

    >>> best_ranks([[0.9, 0.5, 0.7]], [[False, True, False]]).tolist()
    [3]
    """
    similarities, relevant = np.asarray(similarities), np.asarray(relevant)
    if similarities.ndim != 2 or similarities.shape != relevant.shape:
        raise ValueError(
            "`similarities` and `relevant` must have the same shape (queries, candidates), not "
            f"{similarities.shape} and {relevant.shape}."
        )
    if not similarities.size:
        raise ValueError(
            "`similarities` must have at least one query and one candidate. Received shape: "
            f"{similarities.shape}"
        )
    check_not_nan(similarities=similarities, relevant=relevant)
    if not np.isin(relevant, (0, 1)).all():
        raise ValueError("`relevant` must be bool, or only 0 and 1.")
    relevant = relevant.astype("bool")
    empty = np.flatnonzero(~relevant.any(axis=1))
    if len(empty):
        raise ValueError(f"`relevant` has no candidate for these queries: {empty[:20].tolist()}.")
    best = np.where(relevant, similarities, -np.inf).max(axis=1, keepdims=True)
    return 1 + ((similarities >= best) & ~relevant).sum(axis=1)


def retrieval_scores(similarities, owners, names=("image", "text")):
    """Computes recall@1, 5 and 10 and the median rank over a collection, in both directions.

    Args:
        similarities: float array `(images, texts)`.
        owners: int array `(texts,)`: the row of the image of each text. If an image has several
            texts, the best-ranked one counts.
        names: two strings, the names of rows and columns in the result.

    Returns:
        A dict of floats: `"image_to_text_recall_at_1"`, ..., `"image_to_text_median_rank"`, and
        the same for `"text_to_image"`.

    Raises:
        ValueError: if `owners` are not integers, or for a reason of `best_ranks`.

    Example:

    >>> scores = retrieval_scores([[0.9, 0.1, 0.5], [0.8, 0.3, 0.6]], owners=[0, 0, 1])
    >>> scores["image_to_text_recall_at_1"], scores["text_to_image_median_rank"]
    (0.5, 1.0)

    Reference:
        Hodosh, Young and Hockenmaier, "Framing Image Description as a Ranking Task", JAIR 47
        (2013), section 4.2.
    """
    if isinstance(names, str) or len(names) != 2:
        raise ValueError(f"`names` must be two strings. Received: {names!r:.80}")
    similarities, owners = np.asarray(similarities), np.asarray(owners)
    if similarities.ndim != 2:
        raise ValueError(
            "`similarities` must have the shape (images, texts). Received shape: "
            f"{similarities.shape}"
        )
    if owners.ndim != 1 or (owners.size and owners.dtype.kind not in "iu"):
        raise ValueError(
            "`owners` must be the row of an image for each text, integers (texts,). Received: "
            f"{owners.dtype}, shape {owners.shape}"
        )
    relevant = owners[None] == np.arange(len(similarities))[:, None]
    first, second = names
    scores = {}
    for name, table, mask in (
        (f"{first}_to_{second}", similarities, relevant),
        (f"{second}_to_{first}", similarities.T, relevant.T),
    ):
        scores |= score_ranks(best_ranks(table, mask), name)
    return scores


def score_ranks(ranks, name):
    """Computes recall@1, 5 and 10 and the median rank; the keys start with `name`."""
    recalls = {f"{name}_recall_at_{k}": float(np.mean(ranks <= k)) for k in RECALLS}
    return {**recalls, f"{name}_median_rank": float(np.median(ranks))}
