"""Synthetic interactions in which each user prefers one of three tastes."""

import numpy as np

from keras_mmfusion.datasets import Interactions, ItemFeatures

TASTES = 3
USERS, ITEMS, NEW_ITEMS = 30, 36, 6  # The last six items have no training interactions.


def get_tastes(ids):
    """Returns the taste of users or items, from the number in their ids."""
    return np.array([int(name[1:]) % TASTES for name in ids])


def make_interactions(seed=0):
    """Makes training and test interactions, and item features that depend on the item's taste.

    Half of the items of a user's taste are for training; the others, and all new items of the
    taste, are for the test.
    """
    rng = np.random.default_rng(seed)
    users = np.array([f"u{n}" for n in range(USERS)])
    items = np.array([f"i{n}" for n in range(ITEMS)])
    train, test = [], []
    for user in users:
        liked = items[get_tastes(items) == get_tastes([user])]
        old = liked[[int(name[1:]) < ITEMS - NEW_ITEMS for name in liked]]
        old = rng.permutation(old)
        train += [(user, item) for item in old[: len(old) // 2]]
        test += [(user, item) for item in liked if item not in old[: len(old) // 2]]
    taste = np.eye(TASTES)[get_tastes(items)]
    photo = taste @ rng.normal(size=(TASTES, 8)) + 0.1 * rng.normal(size=(ITEMS, 8))
    text = taste @ rng.normal(size=(TASTES, 5)) + 0.1 * rng.normal(size=(ITEMS, 5))
    photo[::5] = np.nan
    features = {"photo": photo.astype("float32"), "text": text.astype("float32")}
    return _interactions(train), _interactions(test), ItemFeatures(items, features)


def _interactions(pairs):
    users, items = np.array(pairs).T
    return Interactions(users, items, np.arange(len(pairs), dtype="float64"))
