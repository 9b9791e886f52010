"""Training batches of recommenders, as `keras.utils.PyDataset`."""

import math

import keras
import numpy as np

MAX_REDRAWS = 10


class TripletSequence(keras.utils.PyDataset):
    """Batches of users, each with a positive and a negative item.

    The negative item is drawn uniformly from all items with interactions, without those of the
    user. A batch depends only on `seed`, the epoch and its index.

    Args:
        model: adapted `Recommender`, which provides the interactions.
        batch_size: int.
        seed: int.
        epoch: int. Number of the first epoch; also an attribute.
        **kwargs: passed to `keras.utils.PyDataset`.

    Returns:
        `sequence[index]` is a tuple `(inputs, targets)`: a dict of `"users"`, int32 `(batch,)`, and
        `"items"`, int32 `(batch, 2)`; and targets for `BPRLoss`, `[1, 0]` in each row.
    """

    def __init__(self, model, batch_size=2048, seed=0, epoch=0, **kwargs):
        super().__init__(**kwargs)
        self.users, self.items = keras.ops.convert_to_numpy(model.interaction_index)
        self.num_items = model.num_items
        self.seen_items = np.unique(self.items)
        self.pair_keys = np.unique(self._pair_keys(self.users, self.items))
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch

    def __len__(self):
        return math.ceil(len(self.users) / self.batch_size)

    def __getitem__(self, index):
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.users))
        rows = order[index * self.batch_size : (index + 1) * self.batch_size]
        rng = np.random.default_rng([self.seed, self.epoch, index])
        users, positives = self.users[rows], self.items[rows]
        items = np.stack([positives, self._draw_negatives(users, rng)], axis=1).astype("int32")
        return {"users": users, "items": items}, np.tile([1.0, 0.0], (len(rows), 1))

    def _draw_negatives(self, users, rng):
        negatives = rng.choice(self.seen_items, len(users))
        # Redraw items the user interacted with; a user of all items keeps the last draw.
        for _ in range(MAX_REDRAWS):
            redraw = np.isin(self._pair_keys(users, negatives), self.pair_keys)
            if not redraw.any():
                break
            negatives[redraw] = rng.choice(self.seen_items, redraw.sum())
        return negatives

    def _pair_keys(self, users, items):
        return users.astype("int64") * self.num_items + items

    def on_epoch_end(self):
        self.epoch += 1


class UserSequence(keras.utils.PyDataset):
    """Batches of users, each with all items of the user.

    A batch depends only on `seed`, the epoch and its index.

    Args:
        model: adapted `Recommender`, which provides the interactions.
        batch_size: int.
        seed: int.
        epoch: int. Number of the first epoch; also an attribute.
        **kwargs: passed to `keras.utils.PyDataset`.

    Returns:
        `sequence[index]` is a tuple `(inputs, targets)`: a dict of `"users"`, int32 `(batch,)`; and
        targets for `MultinomialLoss`, `RecallAtK` and `NDCGAtK`, float32 `(batch, items)`, 1 for
        an item of the user.
    """

    def __init__(self, model, batch_size=256, seed=0, epoch=0, **kwargs):
        super().__init__(**kwargs)
        self.users, self.items = keras.ops.convert_to_numpy(model.interaction_index)
        self.num_users, self.num_items = model.num_users, model.num_items
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch

    def __len__(self):
        return math.ceil(self.num_users / self.batch_size)

    def __getitem__(self, index):
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.num_users)
        users = order[index * self.batch_size : (index + 1) * self.batch_size].astype("int32")
        row = np.full(self.num_users, -1)
        row[users] = np.arange(len(users))
        in_batch = row[self.users] >= 0
        targets = np.zeros((len(users), self.num_items), "float32")
        targets[row[self.users[in_batch]], self.items[in_batch]] = 1
        return {"users": users}, targets

    def on_epoch_end(self):
        self.epoch += 1
