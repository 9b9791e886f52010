"""Batches that recommenders train on, as `keras.utils.PyDataset`: no TensorFlow."""

import math

import keras
import numpy as np


class TripletSequence(keras.utils.PyDataset):
    """Batches of a user, an item that the user took, and one that the user did not.

    The other item is drawn at random from all that anyone took. A batch depends on `seed`, the
    epoch and its own index alone.

    Args:
        model: adapted `Recommender`, whose interactions are the batches.
        batch_size: int.
        seed: int.
        epoch: int. The number of the first epoch; an attribute that may be set.
        **kwargs: passed to `keras.utils.PyDataset`.

    Returns:
        `sequence[index]` is a tuple of a dict, `"users"`, int32 `(batch,)`, and `"items"`, int32
        `(batch, 2)`, and of what `BPRLoss` takes, `[1, 0]` in each row.
    """

    def __init__(self, model, batch_size=2048, seed=0, epoch=0, **kwargs):
        super().__init__(**kwargs)
        self.users, self.items = keras.ops.convert_to_numpy(model.taken)
        self.num_items = model.num_items
        self.warm = np.unique(self.items)
        self.keys = np.unique(self.users.astype("int64") * self.num_items + self.items)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch

    def __len__(self):
        return math.ceil(len(self.users) / self.batch_size)

    def __getitem__(self, index):
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.users))
        rows = order[index * self.batch_size : (index + 1) * self.batch_size]
        rng = np.random.default_rng([self.seed, self.epoch, index])
        users, taken = self.users[rows], self.items[rows]
        items = np.stack([taken, self._not_taken(users, rng)], axis=1).astype("int32")
        return {"users": users, "items": items}, np.tile([1.0, 0.0], (len(rows), 1))

    def _not_taken(self, users, rng):
        others = rng.choice(self.warm, len(users))
        # Of the few that drew what they took; one who took everything keeps the tenth draw.
        for _ in range(10):
            again = np.isin(users.astype("int64") * self.num_items + others, self.keys)
            if not again.any():
                break
            others[again] = rng.choice(self.warm, again.sum())
        return others

    def on_epoch_end(self):
        self.epoch += 1


class UserSequence(keras.utils.PyDataset):
    """Batches of users, and for each of them all items that the user took.

    A batch depends on `seed`, the epoch and its own index alone.

    Args:
        model: adapted `Recommender`, whose interactions are the batches.
        batch_size: int.
        seed: int.
        epoch: int. The number of the first epoch; an attribute that may be set.
        **kwargs: passed to `keras.utils.PyDataset`.

    Returns:
        `sequence[index]` is a tuple of a dict, `"users"`, int32 `(batch,)`, and of what
        `MultinomialLoss`, `RecallAtK` and `NDCGAtK` take, float32 `(batch, items)`, 1 for
        an item that the user took.
    """

    def __init__(self, model, batch_size=256, seed=0, epoch=0, **kwargs):
        super().__init__(**kwargs)
        self.users, self.items = keras.ops.convert_to_numpy(model.taken)
        self.num_users, self.num_items = model.num_users, model.num_items
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch

    def __len__(self):
        return math.ceil(self.num_users / self.batch_size)

    def __getitem__(self, index):
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.num_users)
        chosen = order[index * self.batch_size : (index + 1) * self.batch_size].astype("int32")
        row = np.full(self.num_users, -1)
        row[chosen] = np.arange(len(chosen))
        here = row[self.users] >= 0
        taken = np.zeros((len(chosen), self.num_items), "float32")
        taken[row[self.users[here]], self.items[here]] = 1
        return {"users": chosen}, taken

    def on_epoch_end(self):
        self.epoch += 1
