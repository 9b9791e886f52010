"""Recall@k and NDCG@k of ranked items."""

import itertools

import numpy as np

from keras_mmfusion.metrics.comparable_values import check_comparable


def recall_at_k(relevant, ranked, k):
    """Mean share of a query's relevant items that are among its first k.

    `Recall@k = |relevant ∩ first k| / |relevant|`. With one relevant item (image-text retrieval)
    it is the share of queries that find it.

    Args:
        relevant: list, per query the set (or sequence) of relevant items.
        ranked: list, per query the sequence of items, best first.
        k: int.

    Returns:
        A float between 0 and 1.

    Raises:
        ValueError: if the two have different lengths or items of different types, a query has no
            relevant item, an item is missing, or `k < 1`.

    Example:

    >>> recall_at_k([{1}, {2, 3}], [[1, 5], [2, 4]], k=1)
    0.75
    """
    relevant, ranked = _check(relevant, ranked, k)
    shares = [
        len(wanted & set(items[:k])) / len(wanted)
        for wanted, items in zip(relevant, ranked, strict=True)
    ]
    return float(np.mean(shares))


def ndcg_at_k(relevant, ranked, k):
    """Normalized discounted cumulative gain of the first k, for items relevant or not.

    `DCG = Σᵢ rel_i / log₂(i + 1)` over the places i = 1 ... k; NDCG is its share of the largest
    DCG that the query could have; the mean is over queries.

    Args:
        relevant: list, per query the set (or sequence) of relevant items.
        ranked: list, per query the sequence of items, best first.
        k: int.

    Returns:
        A float between 0 and 1.

    Raises:
        ValueError: if the two have different lengths or items of different types, a query has no
            relevant item, an item is missing, or `k < 1`.

    Example:

    >>> round(ndcg_at_k([{1, 2}], [[1, 5, 2]], k=3), 4)
    0.9197

    Reference:
        Järvelin and Kekäläinen, "Cumulated Gain-Based Evaluation of IR Techniques" (2002).
    """
    relevant, ranked = _check(relevant, ranked, k)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gains = []
    for wanted, items in zip(relevant, ranked, strict=True):
        hits = np.array([item in wanted for item in items[:k]], dtype=float)
        best = discounts[: min(k, len(wanted))].sum()
        gains.append(hits @ discounts[: len(hits)] / best)
    return float(np.mean(gains))


def _check(relevant, ranked, k):
    if isinstance(k, (bool, np.bool_)) or not isinstance(k, (int, np.integer)) or k < 1:
        raise ValueError(f"`k` must be at least 1, an integer. Received: {k!r}")
    if len(relevant) != len(ranked) or not len(ranked):
        raise ValueError(
            "`relevant` and `ranked` must have one length above 0, not "
            f"{len(relevant)} and {len(ranked)}."
        )
    for name, rows in (("relevant", relevant), ("ranked", ranked)):
        bare = (str, bytes, dict)
        if any(isinstance(row, bare) or not hasattr(row, "__iter__") for row in (rows, *rows)):
            raise ValueError(
                f"`{name}` must have a set or list of items for each query, even of one item. "
                f"Received: {rows!r:.80}"
            )
    relevant = [set(wanted) for wanted in relevant]
    empty = [number for number, wanted in enumerate(relevant) if not wanted]
    if empty:
        raise ValueError(f"`relevant` has no item for these queries: {empty[:20]}.")
    doubled = [n for n, items in enumerate(ranked) if len(set(items)) < len(items)]
    if doubled:
        raise ValueError(f"`ranked` has an item twice for these queries: {doubled[:20]}.")
    ranked = [list(items) for items in ranked]
    check_comparable(
        relevant=list(itertools.chain(*relevant)), ranked=list(itertools.chain(*ranked))
    )
    return relevant, ranked
