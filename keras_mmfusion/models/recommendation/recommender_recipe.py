"""Recipes of recommenders: the model, its settings and its training."""

import dataclasses

import keras

from keras_mmfusion._checks import check_choice
from keras_mmfusion.losses.bpr_loss import BPRLoss
from keras_mmfusion.losses.multinomial_loss import MultinomialLoss
from keras_mmfusion.models.recommendation.bpr_recommender import BPRRecommender
from keras_mmfusion.models.recommendation.graph_fusion_recommender import GraphFusionRecommender
from keras_mmfusion.models.recommendation.interaction_batches import TripletSequence, UserSequence
from keras_mmfusion.models.recommendation.light_gcn_recommender import LightGCNRecommender
from keras_mmfusion.models.recommendation.popularity_recommender import PopularityRecommender
from keras_mmfusion.models.recommendation.recommender import Recommender
from keras_mmfusion.models.recommendation.vbpr_recommender import VBPRRecommender
from keras_mmfusion.models.runs.setting_checks import (
    check_integers,
    check_non_negatives,
    check_one_of,
    check_positives,
)


@dataclasses.dataclass(frozen=True)
class RecommenderRecipe:
    """Settings of a recommender and its training.

    Args:
        model: subclass of `Recommender`.
        loss: string. `"bpr"`, on triplets, or `"softmax"`, over all items of each user.
        epochs: int; 0 for a model without trainable weights.
        batch_size: int. Interactions (`"bpr"`) or users (`"softmax"`) in a batch.
        learning_rate, weight_decay: floats, of AdamW.
        settings: dict. Further arguments of the model.
        seed: int. Seed of the initial weights, the batches and the dropout.

    Raises:
        ValueError: if a number is out of range, or `loss` is neither of the two.
    """

    model: type[Recommender]
    loss: str = "bpr"
    epochs: int = 0
    batch_size: int = 4096
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    settings: dict = dataclasses.field(default_factory=dict)
    seed: int = 0

    def __post_init__(self):
        check_one_of(self, "loss", ("bpr", "softmax"))
        check_integers(self, {"epochs": 0, "batch_size": 1, "seed": 0})
        check_positives(self, "learning_rate")
        check_non_negatives(self, "weight_decay")


# Named as in the command line. Sizes, epochs and rates were tuned on the training ratings of
# MovieLens latest-small, by predicting each user's latest 15 % from the rest.
RECIPES = {
    "popularity": RecommenderRecipe(PopularityRecommender),
    "bpr": RecommenderRecipe(
        BPRRecommender, epochs=20, learning_rate=5e-3, weight_decay=0.6, settings={"dim": 256}
    ),
    "vbpr": RecommenderRecipe(
        VBPRRecommender, epochs=20, learning_rate=5e-3, weight_decay=1.0, settings={"dim": 256}
    ),
    "light_gcn": RecommenderRecipe(
        LightGCNRecommender, epochs=20, learning_rate=1e-2, weight_decay=0.1, settings={"dim": 256}
    ),
    "graph_fusion": RecommenderRecipe(
        GraphFusionRecommender,
        "softmax",
        epochs=60,
        batch_size=610,
        learning_rate=1e-2,
        weight_decay=1.0,
        settings={"dim": 256},
    ),
}


def get_recommender_recipe(name):
    """Returns the default recipe of a recommender.

    Args:
        name: string. `"popularity"`, `"bpr"`, `"vbpr"`, `"light_gcn"` or `"graph_fusion"`.

    Returns:
        `RecommenderRecipe`.

    Raises:
        ValueError: if there is no recipe of this name.
    """
    return RECIPES[check_choice(None, "name", name, RECIPES)]


def describe_recipe(recipe):
    """Converts a recipe to a JSON dict, with the model's whole configuration and without the seed.

    Args:
        recipe: `RecommenderRecipe`.

    Returns:
        A dict of JSON values.
    """
    config = recipe.model(**recipe.settings).get_config()
    settings = {key: value for key, value in config.items() if key not in _KERAS}
    fields = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    del fields["seed"]
    return {**fields, "model": recipe.model.__name__, "settings": settings}


# Entries of every Keras model's config.
_KERAS = ("name", "trainable", "dtype")


def train_recommender(recipe, interactions, items=None, callbacks=()):
    """Trains a recommender on interactions.

    Args:
        recipe: `RecommenderRecipe`.
        interactions: `Interactions`.
        items: `ItemFeatures` of all items, or `None`.
        callbacks: sequence of `keras.callbacks.Callback`.

    Returns:
        The trained `Recommender`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import Interactions
    >>> from keras_mmfusion.models.recommendation import (
    ...     BPRRecommender, RecommenderRecipe, train_recommender
    ... )
    >>> rng = np.random.default_rng(0)
    >>> users, items = rng.integers(0, 9, 50).astype("str"), rng.integers(0, 9, 50).astype("str")
    >>> recipe = RecommenderRecipe(BPRRecommender, epochs=1, settings={"dim": 4})
    >>> model = train_recommender(recipe, Interactions(users, items, np.arange(50.0)))
    >>> model.recommend(["3"], k=2)[0].shape
    (1, 2)
    """
    keras.utils.set_random_seed(recipe.seed)
    model = recipe.model(**recipe.settings)
    model.adapt(interactions, items)
    if not recipe.epochs:
        return model
    if recipe.loss == "bpr":
        loss, batches = BPRLoss(), TripletSequence(model, recipe.batch_size, recipe.seed)
    else:
        loss = MultinomialLoss()
        batches = UserSequence(model, recipe.batch_size, recipe.seed)
    model.compile(
        keras.optimizers.AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay),
        loss,
        # Eager JAX is slow; on TensorFlow, XLA computes segment sums slowly on a CPU.
        jit_compile=keras.config.backend() == "jax",
    )
    model.fit(
        batches, shuffle=False, epochs=recipe.epochs, verbose=0, callbacks=list(callbacks) or None
    )
    return model
