import keras
import numpy as np
from keras import ops

from keras_mmfusion.datasets.io.identifiers import id_text
from keras_mmfusion.models.compiled_function import compiled_function
from keras_mmfusion.models.presets.preset_folder import PresetModel
from keras_mmfusion.models.recommendation.recommender_export import export_recommender
from keras_mmfusion.models.steps_by_rank import StepsByRank

# Users whose scores of all items are computed together.
_SLICE = 256


class Recommender(PresetModel, StepsByRank, keras.Model):
    """What recommenders share: users and items as vectors, and the items that suit a user best.

    ```
    s_ui = z_u · z_i
    ```

    `adapt` tells a model what there is before it is built and trained: who took what, and the
    items' features. Items that nobody took yet, *cold* ones, may be among them; a model that looks
    at features can recommend them too. All of it is saved with the model.

    A recommender of your own implements `build_vectors()`, which makes the weights, and
    `vectors(training)`; one that looks at the items' features says so by `uses_features = True`.

    Args:
        **kwargs: passed to `keras.Model`.

    Call arguments:
        inputs: dict of `"users"`, int tensor `(batch,)`, places in `user_ids`; and optionally
            `"items"`, int tensor `(batch, candidates)`, places in `item_ids`.
        training: bool. Whether dropout is active.

    Output shape:
        Scores `(batch, candidates)`; without `"items"`, of all items, `(batch, items)`.

    Attributes:
        user_ids, item_ids: string arrays.
        feature_dims: dict, modality -> dim of the features; empty if the model does not use them.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import Interactions
    >>> from keras_mmfusion.models.recommendation import PopularityRecommender
    >>> taken = Interactions(
    ...     np.array(["ann", "bob", "bob", "eve"]),
    ...     np.array(["tea", "tea", "milk", "milk"]),
    ...     np.arange(4.0),
    ... )
    >>> model = PopularityRecommender()
    >>> model.adapt(taken)
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
        """Tells the model what there is, and builds it.

        Args:
            interactions: `Interactions`. What to train on; nothing of a test.
            items: `ItemFeatures` of all items, cold ones included. Defaults to the items of the
                interactions, without features.

        Raises:
            ValueError: if an item of the interactions is not among `items`, the model uses features
                and there are none, or the model is built.
        """
        if self.built:
            raise ValueError(f"{type(self).__name__}: `adapt` must come first, and once.")
        item_ids = np.unique(interactions.items) if items is None else items.item_ids
        features = items.features if self.uses_features and items is not None else {}
        if self.uses_features and not features:
            raise ValueError(
                f"{type(self).__name__} looks at the items' features: pass `items` to `adapt`."
            )
        lost = np.setdiff1d(interactions.items, item_ids)
        if len(lost):
            raise ValueError(
                f"{type(self).__name__}: `items` lacks {len(lost)} items of the interactions: "
                f"{', '.join(lost[:20])}"
            )
        user_ids = np.unique(interactions.users)
        dims = {name: features[name].shape[1] for name in sorted(features)}
        self._make(user_ids, item_ids, len(interactions), dims)
        users = places_in(user_ids, interactions.users)
        taken = places_in(item_ids, interactions.items)
        self.taken.assign(np.stack([users, taken]))
        self.warm.assign(np.bincount(taken, minlength=len(item_ids)) > 0)
        for name, values in features.items():
            self.features[name].assign(unit_rows(values))
        self.adapt_items()

    def adapt_items(self):
        """What is computed once from `taken` and `features`; nothing, unless a model needs it."""

    def _make(self, user_ids, item_ids, num_interactions, feature_dims):
        self.user_ids = np.asarray(user_ids, "str")
        self.item_ids = np.asarray(item_ids, "str")
        self.feature_dims = dict(feature_dims)
        self.taken = self.constant((2, num_interactions), "int32", "taken")
        self.warm = self.constant((len(item_ids),), "float32", "warm")
        self.features = {
            name: self.constant((len(item_ids), dim), "float32", f"{name}_features")
            for name, dim in feature_dims.items()
        }
        self.build_vectors()
        self.built = True

    def constant(self, shape, dtype, name):
        """What is known and not trained, but saved with the model."""
        return self.add_weight(
            shape=shape, dtype=dtype, initializer="zeros", trainable=False, name=name
        )

    def table(self, rows, dim, name, initializer=None):
        """Trainable vectors `(rows, dim)`, from a normal distribution of spread 0.1 at first."""
        initializer = initializer or keras.initializers.RandomNormal(stddev=0.1)
        return self.add_weight(shape=(rows, dim), initializer=initializer, name=name)

    def warm_only(self, table):
        """Items' vectors, with zeros for an item that nobody took, whose vector learned nothing."""
        return table * ops.expand_dims(self.warm, 1)

    def build_vectors(self):
        """Makes the weights, for features of `feature_dims`."""

    def vectors(self, training=False):
        """The vectors of all users and all items: `(users, dim)` and `(items, dim)`."""
        raise NotImplementedError(f"{type(self).__name__} must implement `vectors`.")

    @property
    def num_users(self):
        return len(self.user_ids)

    @property
    def num_items(self):
        return len(self.item_ids)

    def build(self, input_shape=None):
        if not self.built:
            raise ValueError(
                f"{type(self).__name__} must know its users and items: call `adapt` first."
            )

    def call(self, inputs, training=None):
        users, items = self.vectors(training=bool(training))
        users = ops.take(users, inputs["users"], axis=0)
        if "items" not in inputs:
            return ops.matmul(users, ops.transpose(items))
        items = ops.take(items, inputs["items"], axis=0)
        return ops.sum(ops.expand_dims(users, 1) * items, axis=-1)

    def scores(self, user_ids, exclude_taken=True):
        """The scores of all items.

        Args:
            user_ids: sequence of ids, or one id.
            exclude_taken: bool. Whether items that the user took get minus infinity.

        Returns:
            Float32 array `(users, items)`.

        Raises:
            ValueError: if a user is not known.
        """
        return self._scores(self._places(user_ids), exclude_taken)

    def recommend(self, user_ids, k=10, exclude_taken=True, candidates=None):
        """The items that suit users best.

        Args:
            user_ids: sequence of ids, or one id.
            k: int.
            exclude_taken: bool. Whether items that the user took are left out.
            candidates: collection of item ids, such as what is new, one id, or `None` for all
                items.

        Returns:
            Items, a string array `(users, k)`, best first, and their scores, floats `(users, k)`.
            Where there are fewer than `k`, the rest is `""` with a score of minus infinity.

        Raises:
            ValueError: if a user or a candidate is not known.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueError(f"`k` must be a positive integer. Received: {k!r}")
        users = self._places(user_ids)
        allowed = np.ones(self.num_items, "bool")
        if candidates is not None:
            candidates = set(_listed_ids(candidates))
            allowed = np.isin(self.item_ids, list(candidates))
            if allowed.sum() < len(candidates):
                lost = sorted(candidates - set(self.item_ids[allowed].tolist()))
                raise ValueError(f"`candidates` has items that are not known: {lost[:20]}")
        found_items, found_scores = [], []
        for start in range(0, len(users), _SLICE):
            scores = self._scores(users[start : start + _SLICE], exclude_taken)
            scores[:, ~allowed] = -np.inf
            places = first_places(scores, k)
            best = np.take_along_axis(scores, places, axis=1)
            found_items.append(np.where(best > -np.inf, self.item_ids[places], ""))
            found_scores.append(best)
        missing = max(0, k - self.num_items)
        return (
            np.pad(np.concatenate(found_items), ((0, 0), (0, missing)), constant_values=""),
            np.pad(np.concatenate(found_scores), ((0, 0), (0, missing)), constant_values=-np.inf),
        )

    def _places(self, user_ids):
        users = np.asarray(_listed_ids(user_ids), "str")
        lost = np.setdiff1d(users, self.user_ids)
        if len(lost) or not len(users):
            raise ValueError(
                f"`user_ids` must be of users that the model knows. Received: {lost[:20].tolist()}"
            )
        return places_in(self.user_ids, users)

    def _scores(self, users, exclude_taken):
        if self._score_function is None:
            self._score_function = compiled_function(self, lambda users: self({"users": users}))
        users, rows = np.unique(users, return_inverse=True)
        scores = np.array(ops.convert_to_numpy(self._score_function(users)), "float32")
        if exclude_taken:
            taken_users, taken_items = ops.convert_to_numpy(self.taken)
            here = np.isin(taken_users, users)
            scores[np.searchsorted(users, taken_users[here]), taken_items[here]] = -np.inf
        return scores[rows]

    def export(self, folder, k=20, manifest=None):
        """Writes the model as a SavedModel for TensorFlow Serving.

        `serving_default` takes `users`, int32 `(batch,)`, places in `user_ids`, and returns
        `items`, int32 `(batch, k)`, places in `item_ids`, best first, without those that the user
        took, and their `scores`.

        Args:
            folder: string or path. The version goes into its subfolder `1`, the next one into `2`.
            k: int. How many items.
            manifest: dict or `None`. What else `manifest.json` is to say.

        Returns:
            The path of the new version.
        """
        return export_recommender(self, folder, k, manifest)

    def forget_functions(self):
        self._score_function = None

    def get_build_config(self):
        return {
            "user_ids": self.user_ids.tolist(),
            "item_ids": self.item_ids.tolist(),
            "num_interactions": self.taken.shape[1],
            "feature_dims": self.feature_dims,
        }

    def build_from_config(self, config):
        self._make(**config)


def _listed_ids(ids):
    """Ids as a list of strings; one id is a list of one, not of its characters."""
    if isinstance(ids, np.ndarray):
        ids = ids.ravel().tolist()
    if isinstance(ids, (str, bytes)) or not hasattr(ids, "__iter__"):
        ids = [ids]
    return [id_text(each) for each in ids]


def places_in(ids, wanted):
    """The place of each wanted id among the ids, all of which are there: int32 array."""
    order = np.argsort(ids)
    return order[np.searchsorted(ids, wanted, sorter=order)].astype("int32")


def first_places(scores, k):
    """The places of each row's `k` highest scores, best first; of equal ones the first."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def unit_rows(values):
    """Features less their mean, scaled to length 1; zeros for a row of NaN, one that is missing."""
    values = np.asarray(values, "float64")
    here = ~np.isnan(values).all(axis=1, keepdims=True)
    if not here.any():
        return np.zeros(values.shape, "float32")
    centered = np.where(here, values - np.nanmean(values, axis=0), 0.0)
    lengths = np.linalg.norm(centered, axis=1, keepdims=True)
    return (centered / np.maximum(lengths, 1e-12)).astype("float32")
