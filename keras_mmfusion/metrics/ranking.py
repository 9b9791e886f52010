"""Recall@k and NDCG@k of ranked items."""

import itertools

import numpy as np

from keras_mmfusion._checks import check_integer
from keras_mmfusion.metrics.comparable_values import check_comparable


def recall_at_k(relevant, ranked, k):
    """Computes recall@k, averaged over queries.

    `Recall@k = |relevant ∩ top k| / |relevant|`. With one relevant item per query, as in
    image-text retrieval, it is the share of queries that rank it among the top k.

    Args:
        relevant: list with the set (or sequence) of relevant items of each query.
        ranked: list with the sequence of items for each query, best first.
        k: int.

    Returns:
        A float between 0 and 1.

    Raises:
        ValueError: if the lengths or the types of the items differ, a query has no relevant item,
            an item is missing, or `k < 1`.

    Example:

    >>> recall_at_k([{1}, {2, 3}], [[1, 5], [2, 4]], k=1)
    0.75
    """
    relevant, ranked = _check(relevant, ranked, k)
    shares = [
        len(expected & set(items[:k])) / len(expected)
        for expected, items in zip(relevant, ranked, strict=True)
    ]
    return float(np.mean(shares))


def ndcg_at_k(relevant, ranked, k):
    """Computes the normalized discounted cumulative gain of the top k, averaged over queries.

    `NDCG = DCG / IDCG` with `DCG = Σᵢ rel_i / log₂(i + 1)` over ranks i = 1 ... k and `IDCG` the
    DCG of an ideal ranking. Relevance is 0 or 1.

    Args:
        relevant: list with the set (or sequence) of relevant items of each query.
        ranked: list with the sequence of items for each query, best first.
        k: int.

    Returns:
        A float between 0 and 1.

    Raises:
        ValueError: if the lengths or the types of the items differ, a query has no relevant item,
            an item is missing, or `k < 1`.

    Example:

    >>> round(ndcg_at_k([{1, 2}], [[1, 5, 2]], k=3), 4)
    0.9197

    Reference:
        Järvelin and Kekäläinen, "Cumulated Gain-Based Evaluation of IR Techniques" (2002).
    """
    relevant, ranked = _check(relevant, ranked, k)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gains = []
    for expected, items in zip(relevant, ranked, strict=True):
        hits = np.array([item in expected for item in items[:k]], dtype=float)
        ideal = discounts[: min(k, len(expected))].sum()
        gains.append(hits @ discounts[: len(hits)] / ideal)
    return float(np.mean(gains))


def _check(relevant, ranked, k):
    check_integer(None, "k", k)
    if len(relevant) != len(ranked) or not len(ranked):
        raise ValueError(
            "`relevant` and `ranked` must have the same length, at least 1, not "
            f"{len(relevant)} and {len(ranked)}."
        )
    for name, rows in (("relevant", relevant), ("ranked", ranked)):
        bare = (str, bytes, dict)
        if any(isinstance(row, bare) or not hasattr(row, "__iter__") for row in (rows, *rows)):
            raise ValueError(
                f"`{name}` must have a set or list of items for each query, even for one item. "
                f"Received: {rows!r:.80}"
            )
    relevant = [set(items) for items in relevant]
    empty = [number for number, items in enumerate(relevant) if not items]
    if empty:
        raise ValueError(f"`relevant` has no item for these queries: {empty[:20]}.")
    repeated = [n for n, items in enumerate(ranked) if len(set(items)) < len(items)]
    if repeated:
        raise ValueError(f"`ranked` has repeated items for these queries: {repeated[:20]}.")
    ranked = [list(items) for items in ranked]
    check_comparable(
        relevant=list(itertools.chain(*relevant)), ranked=list(itertools.chain(*ranked))
    )
    return relevant, ranked
