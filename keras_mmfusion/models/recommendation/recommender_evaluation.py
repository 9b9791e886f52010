"""How well a recommender foretells what users take next, over all items and over cold ones."""

import numpy as np
from keras import ops

from keras_mmfusion.metrics.comparable_values import check_not_nan
from keras_mmfusion.metrics.ranking import ndcg_at_k, recall_at_k
from keras_mmfusion.models.recommendation.recommender import first_places

KS = (10, 20)
_SLICE = 256


def evaluate_recommender(model, test, ks=KS, seed=0):
    """Scores a recommender on later interactions; each user's items are ranked among all items.

    What the user took in training is left out of the ranking. A user or an item that the model
    does not know cannot be foretold: such users are left out, such items count as missed. Items
    that nobody took in training, cold ones, are also scored apart: each user's cold items, ranked
    among all cold items.

    Args:
        model: adapted `Recommender`.
        test: `Interactions`. Those that the model was trained on are left out.
        ks: sequence of ints.
        seed: int. Items of equal score are ranked in a random order.

    Returns:
        A dict: `"metrics"` (`recall@k` and `ndcg@k` for each k, and `cold_recall@k`, `cold_ndcg@k`
        if users took cold items; means over users), `"protocol"`, how they were made, and
        `"samples"`, for each user a dict of `"user"`, `"recommended"` (the first items) and
        `"taken"` (how many items are to be foretold).

    Raises:
        ValueError: if nothing is left to foretell.
    """
    wanted = _wanted(model, test)
    if not wanted:
        raise ValueError(
            "`test` must have an interaction of a user that the model knows, which it was not "
            f"trained on. Received {len(test)} interactions."
        )
    users = sorted(wanted)
    is_cold = ops.convert_to_numpy(model.warm) == 0
    # In this order a stable sort leaves items of equal score.
    shuffled = np.random.default_rng(seed).permutation(model.num_items)
    ranked, cold_ranked = [], []
    for start in range(0, len(users), _SLICE):
        scores = model.scores(model.user_ids[users[start : start + _SLICE]])
        ranked += _first(scores, shuffled, max(ks))
        cold_ranked += _first(np.where(is_cold, scores, -np.inf), shuffled, max(ks))
    relevant = [wanted[user] for user in users]
    cold = [{item for item in items if item >= 0 and is_cold[item]} for items in relevant]
    metrics = _metrics("", relevant, ranked, ks)
    if any(cold):
        pairs = [pair for pair in zip(cold, cold_ranked, strict=True) if pair[0]]
        metrics |= _metrics("cold_", *zip(*pairs, strict=True), ks)
    known_users = np.isin(test.users, model.user_ids)
    known_items = np.isin(test.items, model.item_ids)
    return {
        "metrics": metrics,
        "protocol": {
            "ranking": "full sort: all items, less those that the user took in training",
            "cold": "items that nobody took in training, ranked among themselves",
            "recall": "share of the user's items that are among the first k; mean over users",
            "ties": f"in a random order, seed {seed}",
            "users": len(users),
            "items": model.num_items,
            "cold_items": int(is_cold.sum()),
            "trained_on": model.taken.shape[1],
            "tested_on": sum(map(len, relevant)),
            "users_with_cold_items": sum(map(bool, cold)),
            "left_out_of_unknown_users": int(np.sum(~known_users)),
            "missed_of_unknown_items": int(np.sum(known_users & ~known_items)),
        },
        "samples": [
            {
                "user": str(model.user_ids[user]),
                "taken": len(items),
                "recommended": model.item_ids[list(places)].tolist(),
            }
            for user, items, places in zip(users, relevant, ranked, strict=True)
        ],
    }


def _wanted(model, test):
    """For each user, the places of the items to foretell; below 0 for items not known."""
    trained = set(zip(*ops.convert_to_numpy(model.taken).tolist(), strict=True))
    users = dict(zip(model.user_ids.tolist(), range(model.num_users), strict=True))
    items = dict(zip(model.item_ids.tolist(), range(model.num_items), strict=True))
    wanted = {}
    for row, (user, item) in enumerate(zip(test.users.tolist(), test.items.tolist(), strict=True)):
        user, item = users.get(user), items.get(item, -1 - row)
        if user is not None and (user, item) not in trained:
            wanted.setdefault(user, set()).add(item)
    return wanted


def _first(scores, shuffled, k):
    """For each row the places of its `k` highest scores that are not minus infinity."""
    check_not_nan(scores=scores)
    first = shuffled[first_places(scores[:, shuffled], k)]
    values = np.take_along_axis(scores, first, axis=1)
    return [row[value > -np.inf].tolist() for row, value in zip(first, values, strict=True)]


def _metrics(prefix, relevant, ranked, ks):
    scores = {"recall": recall_at_k, "ndcg": ndcg_at_k}
    return {
        f"{prefix}{name}@{k}": score(relevant, ranked, k)
        for name, score in scores.items()
        for k in ks
    }
