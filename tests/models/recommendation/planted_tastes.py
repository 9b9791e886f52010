"""Interactions with a planted structure: who likes what is known."""

import numpy as np

from keras_mmfusion.datasets import Interactions, ItemFeatures

TASTES = 3
USERS, ITEMS, COLD = 30, 36, 6  # The last six items nobody takes.


def taste_of(ids):
    """The taste of users or items, from the number in their ids."""
    return np.array([int(name[1:]) % TASTES for name in ids])


def planted(seed=0):
    """Users who take items of their own taste; the features tell an item's taste.

    Half the warm items of a user's taste are for training, the others for the test, with all cold
    items of the taste.
    """
    rng = np.random.default_rng(seed)
    users = np.array([f"u{n}" for n in range(USERS)])
    items = np.array([f"i{n}" for n in range(ITEMS)])
    train, test = [], []
    for user in users:
        liked = items[taste_of(items) == taste_of([user])]
        warm = liked[[int(name[1:]) < ITEMS - COLD for name in liked]]
        warm = rng.permutation(warm)
        train += [(user, item) for item in warm[: len(warm) // 2]]
        test += [(user, item) for item in liked if item not in warm[: len(warm) // 2]]
    taste = np.eye(TASTES)[taste_of(items)]
    photo = taste @ rng.normal(size=(TASTES, 8)) + 0.1 * rng.normal(size=(ITEMS, 8))
    text = taste @ rng.normal(size=(TASTES, 5)) + 0.1 * rng.normal(size=(ITEMS, 5))
    photo[::5] = np.nan
    features = {"photo": photo.astype("float32"), "text": text.astype("float32")}
    return _interactions(train), _interactions(test), ItemFeatures(items, features)


def _interactions(pairs):
    users, items = np.array(pairs).T
    return Interactions(users, items, np.arange(len(pairs), dtype="float64"))
