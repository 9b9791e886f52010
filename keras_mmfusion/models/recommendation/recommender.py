import keras
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.datasets.io.identifiers import format_id
from keras_mmfusion.models.compiled_function import compile_function
from keras_mmfusion.models.recommendation.recommender_export import export_recommender
from keras_mmfusion.models.task_model import TaskModel

# Number of users whose scores of all items are computed together.
_USERS_PER_BATCH = 256


class Recommender(TaskModel, keras.Model):
    """Base class of recommenders: vectors of users and items, and their dot product as score.

    ```
    s_ui = z_u · z_i
    ```

    `adapt` passes the training interactions and the items' features to the model before it is
    trained; both are saved with the model. The items may include new ones, without interactions
    (cold start); a model that uses features can recommend them too.

    To implement a recommender, define `build_vectors()`, which creates the weights, and
    `compute_vectors(training)`; set `uses_features = True` if it uses the items' features.

    Args:
        **kwargs: passed to `keras.Model`.

    Call arguments:
        inputs: dict of `"users"`, int tensor `(batch,)`, indices into `user_ids`; and optionally
            `"items"`, int tensor `(batch, candidates)`, indices into `item_ids`.
        training: bool. Whether dropout is active.

    Output shape:
        Scores `(batch, candidates)`; without `"items"`, of all items, `(batch, items)`.

    Attributes:
        user_ids, item_ids: string arrays.
        feature_dims: dict, modality -> dim of the features; empty if the model does not use them.
        interaction_index: int tensor `(2, interactions)`, the users and items of the interactions.
        seen_items: float tensor `(items,)`, 1 for items with interactions, 0 for new ones.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import Interactions
    >>> from keras_mmfusion.models.recommendation import PopularityRecommender
    >>> interactions = Interactions(
    ...     np.array(["ann", "bob", "bob", "eve"]),
    ...     np.array(["tea", "tea", "milk", "milk"]),
    ...     np.arange(4.0),
    ... )
    >>> model = PopularityRecommender()
    >>> model.adapt(interactions)
    >>> items, scores = model.recommend(["ann", "eve"], k=1)
    >>> items.tolist()
    [['milk'], ['tea']]
    """

    uses_features = False

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.user_ids = self.item_ids = None
        self.feature_dims = {}
        self._score_function = None

    def adapt(self, interactions, items=None):
        """Sets the users, the items and the training interactions, and builds the model.

        Args:
            interactions: `Interactions` of the training data.
            items: `ItemFeatures` of all items, new ones included. Defaults to the items of the
                interactions, without features.

        Raises:
            ValueError: if an item of the interactions is not in `items`, if the model uses features
                and there are none, or if the model is already built.
        """
        model = type(self).__name__
        if self.built:
            raise ValueError(f"{model}: call `adapt` exactly once, before the model is built.")
        item_ids = np.unique(interactions.items) if items is None else items.item_ids
        features = items.features if self.uses_features and items is not None else {}
        if self.uses_features and not features:
            raise ValueError(f"{model} uses the items' features: pass `items` to `adapt`.")
        unknown = np.setdiff1d(interactions.items, item_ids)
        if len(unknown):
            raise ValueError(
                f"{model}: `items` lacks {len(unknown)} items of the interactions: "
                f"{', '.join(unknown[:20])}"
            )
        user_ids = np.unique(interactions.users)
        dims = {name: features[name].shape[1] for name in sorted(features)}
        self._create_weights(user_ids, item_ids, len(interactions), dims)
        user_index = find_indices(user_ids, interactions.users)
        item_index = find_indices(item_ids, interactions.items)
        self.interaction_index.assign(np.stack([user_index, item_index]))
        self.seen_items.assign(np.bincount(item_index, minlength=len(item_ids)) > 0)
        for name, values in features.items():
            self.features[name].assign(normalize_rows(values))
        self.adapt_items()

    def adapt_items(self):
        """Computes constants from `interaction_index` and `features`. Does nothing by default."""

    def _create_weights(self, user_ids, item_ids, num_interactions, feature_dims):
        self.user_ids = np.asarray(user_ids, "str")
        self.item_ids = np.asarray(item_ids, "str")
        self.feature_dims = dict(feature_dims)
        self.interaction_index = self.add_constant(
            (2, num_interactions), "int32", "interaction_index"
        )
        self.seen_items = self.add_constant((len(item_ids),), "float32", "seen_items")
        self.features = {
            name: self.add_constant((len(item_ids), dim), "float32", f"{name}_features")
            for name, dim in feature_dims.items()
        }
        self.build_vectors()
        self.built = True

    def add_constant(self, shape, dtype, name):
        """Creates a weight that is not trained, but saved with the model."""
        return self.add_weight(
            shape=shape, dtype=dtype, initializer="zeros", trainable=False, name=name
        )

    def add_table(self, rows, dim, name, initializer=None):
        """Creates trainable vectors `(rows, dim)`, by default with a standard deviation of 0.1."""
        initializer = initializer or keras.initializers.RandomNormal(stddev=0.1)
        return self.add_weight(shape=(rows, dim), initializer=initializer, name=name)

    def mask_new_items(self, table):
        """Sets the vectors of items without interactions to zero, as they are not trained."""
        return table * ops.expand_dims(self.seen_items, 1)

    def build_vectors(self):
        """Creates the weights, for features of `feature_dims`."""

    def compute_vectors(self, training=False):
        """Computes the vectors of all users and all items: `(users, dim)` and `(items, dim)`."""
        raise NotImplementedError(f"{type(self).__name__} must implement `compute_vectors`.")

    @property
    def num_users(self):
        return len(self.user_ids)

    @property
    def num_items(self):
        return len(self.item_ids)

    def build(self, input_shape=None):
        if not self.built:
            raise ValueError(
                f"{type(self).__name__} has no users and items yet: call `adapt` first."
            )

    def call(self, inputs, training=None):
        users, items = self.compute_vectors(training=bool(training))
        users = ops.take(users, inputs["users"], axis=0)
        if "items" not in inputs:
            return ops.matmul(users, ops.transpose(items))
        items = ops.take(items, inputs["items"], axis=0)
        return ops.sum(ops.expand_dims(users, 1) * items, axis=-1)

    def compute_scores(self, user_ids, exclude_seen=True):
        """Computes the scores of all items.

        Args:
            user_ids: sequence of ids, or one id.
            exclude_seen: bool. Whether the user's items of the training data get minus infinity.

        Returns:
            Float32 array `(users, items)`.

        Raises:
            ValueError: if a user is unknown.
        """
        return self._scores(self._find_users(user_ids), exclude_seen)

    def recommend(self, user_ids, k=10, exclude_seen=True, candidates=None):
        """Returns the items with the highest scores.

        Args:
            user_ids: sequence of ids, or one id.
            k: int. Number of items for each user.
            exclude_seen: bool. Whether to exclude the user's items of the training data.
            candidates: collection of item ids, such as the new ones, one id, or `None` for all
                items.

        Returns:
            Items, a string array `(users, k)`, best first, and their scores, floats `(users, k)`.
            Where there are fewer than `k` items, the rest is `""` with a score of minus infinity.

        Raises:
            ValueError: if a user or a candidate is unknown.
        """
        check_integer(None, "k", k)
        users = self._find_users(user_ids)
        mask = self._candidate_mask(candidates)
        top_items, top_scores = [], []
        for start in range(0, len(users), _USERS_PER_BATCH):
            scores = self._scores(users[start : start + _USERS_PER_BATCH], exclude_seen)
            scores[:, ~mask] = -np.inf
            indices = top_indices(scores, k)
            best = np.take_along_axis(scores, indices, axis=1)
            top_items.append(np.where(best > -np.inf, self.item_ids[indices], ""))
            top_scores.append(best)
        padding = ((0, 0), (0, max(0, k - self.num_items)))
        return (
            np.pad(np.concatenate(top_items), padding, constant_values=""),
            np.pad(np.concatenate(top_scores), padding, constant_values=-np.inf),
        )

    def _candidate_mask(self, candidates):
        if candidates is None:
            return np.ones(self.num_items, "bool")
        candidates = set(_list_ids(candidates))
        unknown = sorted(candidates - set(self.item_ids.tolist()))
        if unknown:
            raise ValueError(f"`candidates` has unknown items: {unknown[:20]}")
        return np.isin(self.item_ids, list(candidates))

    def _find_users(self, user_ids):
        users = np.asarray(_list_ids(user_ids), "str")
        unknown = np.setdiff1d(users, self.user_ids)
        if len(unknown) or not len(users):
            raise ValueError(
                f"`user_ids` must be users of the training data. Received: {unknown[:20].tolist()}"
            )
        return find_indices(self.user_ids, users)

    def _scores(self, users, exclude_seen):
        if self._score_function is None:
            self._score_function = compile_function(self, lambda users: self({"users": users}))
        users, rows = np.unique(users, return_inverse=True)
        scores = np.array(ops.convert_to_numpy(self._score_function(users)), "float32")
        if exclude_seen:
            seen_by, seen = ops.convert_to_numpy(self.interaction_index)
            requested = np.isin(seen_by, users)
            scores[np.searchsorted(users, seen_by[requested]), seen[requested]] = -np.inf
        return scores[rows]

    def export(self, folder, k=20, manifest=None):
        """Writes the model as a SavedModel for TensorFlow Serving.

        `serving_default` takes `users`, int32 `(batch,)`, indices into `user_ids`, and returns
        `items`, int32 `(batch, k)`, indices into `item_ids`, best first, without the users' items
        of the training data, and their `scores`.

        Args:
            folder: string or path. The version goes into its subfolder `1`, the next one into `2`.
            k: int. Number of items for each user.
            manifest: dict or `None`. Further entries of `manifest.json`.

        Returns:
            The path of the new version.
        """
        return export_recommender(self, folder, k, manifest)

    def reset_compiled_functions(self):
        self._score_function = None

    def get_build_config(self):
        return {
            "user_ids": self.user_ids.tolist(),
            "item_ids": self.item_ids.tolist(),
            "num_interactions": self.interaction_index.shape[1],
            "feature_dims": self.feature_dims,
        }

    def build_from_config(self, config):
        self._create_weights(**config)


def _list_ids(ids):
    """Converts one id or several to a list of strings."""
    if isinstance(ids, np.ndarray):
        ids = ids.ravel().tolist()
    if isinstance(ids, (str, bytes)) or not hasattr(ids, "__iter__"):
        ids = [ids]
    return [format_id(each) for each in ids]


def find_indices(ids, queries):
    """Returns the index of each query in `ids`, which holds all of them: an int32 array."""
    order = np.argsort(ids)
    return order[np.searchsorted(ids, queries, sorter=order)].astype("int32")


def top_indices(scores, k):
    """Returns the indices of each row's `k` highest scores, best first; ties in index order."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def normalize_rows(values):
    """Centers features and scales rows to length 1; a row of NaN, a missing one, becomes zeros."""
    values = np.asarray(values, "float64")
    mask = ~np.isnan(values).all(axis=1, keepdims=True)
    if not mask.any():
        return np.zeros(values.shape, "float32")
    centered = np.where(mask, values - np.nanmean(values, axis=0), 0.0)
    lengths = np.linalg.norm(centered, axis=1, keepdims=True)
    return (centered / np.maximum(lengths, 1e-12)).astype("float32")
