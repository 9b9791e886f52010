"""Ranking scores of recommenders on later interactions, over all items and over new ones."""

import numpy as np
from keras import ops

from keras_mmfusion.metrics.comparable_values import check_not_nan
from keras_mmfusion.metrics.ranking import ndcg_at_k, recall_at_k
from keras_mmfusion.models.recommendation.recommender import top_indices
from keras_mmfusion.models.runs.evaluation_result import EvaluationResult

KS = (10, 20)
_USERS_PER_BATCH = 256


def evaluate_recommender(model, test, ks=KS, seed=0):
    """Scores a recommender on later interactions; each user's items are ranked among all items.

    The user's items of the training data are excluded from the ranking. Users who are not in the
    training data are left out; items that the model does not know count as missed. New items,
    without interactions in training (cold start), are also scored separately: each user's new items
    are ranked among all new items.

    Args:
        model: adapted `Recommender`.
        test: `Interactions`. Those of the training data are ignored.
        ks: sequence of ints.
        seed: int. Items of equal score are ranked in a random order.

    Returns:
        `EvaluationResult` with the metrics `recall@k` and `ndcg@k` for each k, and `cold_recall@k`
        and `cold_ndcg@k` if the test has new items, all means over users; `samples` has for each
        user a dict of `"user"`, `"recommended"` (the top items) and `"relevant"` (the number of
        items to predict).

    Raises:
        ValueError: if no interaction is left to predict.
    """
    relevant_items = _find_relevant_items(model, test)
    if not relevant_items:
        raise ValueError(
            "`test` must have an interaction of a known user that is not in the training data. "
            f"Received {len(test)} interactions."
        )
    users = sorted(relevant_items)
    is_new = ops.convert_to_numpy(model.seen_items) == 0
    # A stable sort leaves items of equal score in this order.
    shuffled = np.random.default_rng(seed).permutation(model.num_items)
    ranked, new_ranked = [], []
    for start in range(0, len(users), _USERS_PER_BATCH):
        scores = model.compute_scores(model.user_ids[users[start : start + _USERS_PER_BATCH]])
        ranked += _rank_items(scores, shuffled, max(ks))
        new_ranked += _rank_items(np.where(is_new, scores, -np.inf), shuffled, max(ks))
    relevant = [relevant_items[user] for user in users]
    new = [{item for item in items if item >= 0 and is_new[item]} for items in relevant]
    metrics = _compute_metrics("", relevant, ranked, ks)
    if any(new):
        pairs = [pair for pair in zip(new, new_ranked, strict=True) if pair[0]]
        metrics |= _compute_metrics("cold_", *zip(*pairs, strict=True), ks)
    known_users = np.isin(test.users, model.user_ids)
    known_items = np.isin(test.items, model.item_ids)
    protocol = {
        "ranking": "full sort: all items except the user's items in training",
        "cold": "new items, without interactions in training, ranked among themselves",
        "recall": "share of the user's items among the top k; mean over users",
        "ties": f"in random order, seed {seed}",
        "users": len(users),
        "items": model.num_items,
        "cold_items": int(is_new.sum()),
        "trained_on": model.interaction_index.shape[1],
        "tested_on": sum(map(len, relevant)),
        "users_with_cold_items": sum(map(bool, new)),
        "left_out_of_unknown_users": int(np.sum(~known_users)),
        "missed_of_unknown_items": int(np.sum(known_users & ~known_items)),
    }
    samples = [
        {
            "user": str(model.user_ids[user]),
            "relevant": len(items),
            "recommended": model.item_ids[list(top)].tolist(),
        }
        for user, items, top in zip(users, relevant, ranked, strict=True)
    ]
    return EvaluationResult(metrics, protocol, samples, describe_table(metrics, protocol))


def describe_table(metrics, protocol):
    """Describes how the scores of a recommender are shown; see `EvaluationResult`."""
    headings = {name: name.replace("cold_", "cold ").replace("ndcg", "NDCG") for name in metrics}
    summary = (
        f"{protocol['trained_on']:,} training interactions, {protocol['tested_on']:,} to predict, "
        f"of {protocol['users']} users; full sort of {protocol['items']:,} items"
    )
    return {"metrics": headings, "settings": {}, "summary": summary}


def _find_relevant_items(model, test):
    """Maps each user's index to the indices of the items to predict; negative ones are unknown."""
    trained = set(zip(*ops.convert_to_numpy(model.interaction_index).tolist(), strict=True))
    users = dict(zip(model.user_ids.tolist(), range(model.num_users), strict=True))
    items = dict(zip(model.item_ids.tolist(), range(model.num_items), strict=True))
    relevant = {}
    for row, (user, item) in enumerate(zip(test.users.tolist(), test.items.tolist(), strict=True)):
        user, item = users.get(user), items.get(item, -1 - row)
        if user is not None and (user, item) not in trained:
            relevant.setdefault(user, set()).add(item)
    return relevant


def _rank_items(scores, shuffled, k):
    """Returns for each row the indices of its `k` highest scores above minus infinity."""
    check_not_nan(scores=scores)
    top = shuffled[top_indices(scores[:, shuffled], k)]
    values = np.take_along_axis(scores, top, axis=1)
    return [row[value > -np.inf].tolist() for row, value in zip(top, values, strict=True)]


def _compute_metrics(prefix, relevant, ranked, ks):
    scores = {"recall": recall_at_k, "ndcg": ndcg_at_k}
    return {
        f"{prefix}{name}@{k}": score(relevant, ranked, k)
        for name, score in scores.items()
        for k in ks
    }
