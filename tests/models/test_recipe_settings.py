import math

import pytest

from keras_mmfusion.models.node_classification import GCNClassifier, NodeRecipe
from keras_mmfusion.models.recommendation import BPRRecommender, RecommenderRecipe
from keras_mmfusion.models.sentiment import SentimentRecipe


def recommender(**settings):
    return RecommenderRecipe(BPRRecommender, **settings)


def nodes(**settings):
    return NodeRecipe(GCNClassifier, **{"learning_rate": 0.01, "epochs": 2, **settings})


@pytest.mark.parametrize(
    ("recipe", "name", "values"),
    [
        (recommender, "loss", ("BPR", "hinge", None)),
        (recommender, "epochs", (-1, 1.5, True, "3")),
        (recommender, "batch_size", (0, -8)),
        (recommender, "learning_rate", (0.0, -1e-3, math.nan, math.inf, "fast")),
        (recommender, "weight_decay", (-0.1, math.nan, None)),
        (nodes, "learning_rate", (0.0, None)),
        (nodes, "epochs", (0, 2.0)),
        (nodes, "patience", (0, -1, 1.5)),
        (SentimentRecipe, "dim", (0, 8.0)),
        (SentimentRecipe, "epochs", (0,)),
        (SentimentRecipe, "batch_size", (0,)),
        (SentimentRecipe, "seed", (-1, None)),
        (SentimentRecipe, "dropout", (1.0, -0.1, "0.1")),
        (SentimentRecipe, "feature_dropout", (1.0,)),
        (SentimentRecipe, "modality_dropout", (math.nan,)),
        (SentimentRecipe, "learning_rate", (0,)),
    ],
)
def test_invalid_settings_raise_errors(recipe, name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"`{name}` must be .* Received: {value!r}"):
            recipe(**{name: value})


def test_boundary_settings_are_valid():
    recommender(epochs=0, weight_decay=0, batch_size=1)
    nodes(epochs=1, patience=1)
    nodes(patience=None)
    SentimentRecipe(dropout=0, epochs=1, seed=0)
