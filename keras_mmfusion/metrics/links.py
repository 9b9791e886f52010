"""Scores of link prediction."""

import numpy as np

from keras_mmfusion._checks import check_integer
from keras_mmfusion.metrics.binary_ranking import average_precision, roc_auc
from keras_mmfusion.metrics.comparable_values import check_not_nan


def link_scores(positives, negatives, hits=(1, 10)):
    """Computes AUC, average precision, mean reciprocal rank and Hits@k of predicted links.

    The rank of a link is its position among its negatives by descending score,
    `rank = 1 + |higher| + |equal| / 2`, so that a model that scores all pairs equally is not
    rewarded. `MRR = mean(1 / rank)` and `Hits@k = mean(rank <= k)`. AUC compares all links with all
    negatives; average precision with one negative per link, since it depends on their ratio.

    Args:
        positives: floats `(links,)`. Scores of true links.
        negatives: floats `(links, negatives)`. Scores of pairs that share a node with the link.
        hits: sequence of ints. The values of `k`.

    Returns:
        A dict of floats: `auc`, `average_precision`, `mrr`, and `hits_at_<k>` for each `k`.

    Raises:
        ValueError: if a shape is invalid, a score is NaN, or there are no links.

    Example:

    >>> link_scores([0.9, 0.4], [[0.1, 0.2], [0.5, 0.3]], hits=(1,))
    {'auc': 0.875, 'average_precision': 0.8333333333333333, 'mrr': 0.75, 'hits_at_1': 0.5}

    Reference:
        MRR and Hits@k: Hu et al., "Open Graph Benchmark", 2020.
    """
    positives, negatives = np.asarray(positives), np.asarray(negatives)
    is_valid = positives.ndim == 1 and negatives.ndim == 2 and len(negatives) == len(positives)
    if not is_valid or not negatives.size:
        raise ValueError(
            "`positives` must have the shape (links,) and `negatives` (links, negatives), with at "
            f"least one link. Received shapes: {positives.shape} and {negatives.shape}"
        )
    check_not_nan(positives=positives, negatives=negatives)
    for k in hits:
        check_integer("link_scores", "hits", k)
    given = positives[:, None]
    ranks = 1 + np.sum(negatives > given, axis=1) + np.sum(negatives == given, axis=1) / 2
    labels = np.repeat([1, 0], [len(positives), negatives.size])
    balanced = np.concatenate([positives, negatives[:, 0]])
    scores = {
        "auc": roc_auc(labels, np.concatenate([positives, negatives.ravel()])),
        "average_precision": average_precision(np.repeat([1, 0], len(positives)), balanced),
        "mrr": float(np.mean(1 / ranks)),
    }
    return scores | {f"hits_at_{k}": float(np.mean(ranks <= k)) for k in hits}
