"""Training recipes of link predictors."""

import dataclasses
from collections.abc import Callable

from keras_mmfusion._checks import check_choice
from keras_mmfusion.models.node_classification import (
    GATClassifier,
    GCNClassifier,
    GraphFusionClassifier,
)
from keras_mmfusion.models.runs.setting_checks import check_integers, check_positives


@dataclasses.dataclass(frozen=True)
class LinkRecipe:
    """An encoder and the settings of its training.

    Args:
        make_encoder: function of an `AttributedGraph` and the dim of the embeddings that returns a
            `NodeClassifier`.
        dim: int. Dim of the embeddings.
        decoder_dim: int or `None`, see `LinkPredictor`.
        learning_rate: float. Learning rate of Adam.
        epochs: int. Maximum number of passes over the training edges.
        patience: int. Stop after this many epochs without a higher validation MRR, and restore the
            weights of the best epoch.
        steps_per_epoch: int. Number of parts of the training edges. A step predicts the edges of
            one part from the messages along all others.
        seed: int. Seed of the initial weights, the batches, and the dropout.

    Raises:
        ValueError: if a number is out of range.
    """

    make_encoder: Callable
    dim: int = 64
    decoder_dim: int | None = None
    learning_rate: float = 0.01
    epochs: int = 30
    patience: int = 5
    steps_per_epoch: int = 10
    seed: int = 0

    def __post_init__(self):
        check_positives(self, "learning_rate")
        hidden = {} if self.decoder_dim is None else {"decoder_dim": 1}
        check_integers(self, {"dim": 1, "epochs": 1, "patience": 1, "seed": 0} | hidden)
        check_integers(self, {"steps_per_epoch": 2})


def _make_gcn(graph, dim):
    return GCNClassifier(graph.num_attributes, dim, hidden_dim=2 * dim, dropout=0.2, weight_decay=0)


def _make_gat(graph, dim):
    return GATClassifier(
        graph.num_attributes, dim, head_dim=dim // 4, num_heads=4, dropout=0.2, weight_decay=0
    )


def _make_fusion(graph, dim):
    return GraphFusionClassifier(
        graph.num_attributes,
        dim,
        graph.num_nodes,
        hidden_dim=dim,
        dropout=0.2,
        weight_decay=0,
    )


# The names of the command.
RECIPES = {
    "gcn": LinkRecipe(_make_gcn),
    "gat": LinkRecipe(_make_gat),
    "fusion": LinkRecipe(_make_fusion, decoder_dim=64),
}


def get_link_recipe(name):
    """Returns a recipe by its name.

    Args:
        name: string, `"gcn"`, `"gat"`, or `"fusion"` (`GraphFusionClassifier`).

    Returns:
        A `LinkRecipe`.

    Raises:
        ValueError: if there is no recipe of this name.
    """
    return RECIPES[check_choice(None, "name", name, RECIPES)]
