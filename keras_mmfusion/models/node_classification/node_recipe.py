"""Training recipes of node classifiers."""

import dataclasses

from keras_mmfusion._checks import check_choice
from keras_mmfusion.models.node_classification.appnp_classifier import APPNPClassifier
from keras_mmfusion.models.node_classification.gat_classifier import GATClassifier
from keras_mmfusion.models.node_classification.gcn2_classifier import GCN2Classifier
from keras_mmfusion.models.node_classification.gcn_classifier import GCNClassifier
from keras_mmfusion.models.node_classification.node_classifier import NodeClassifier
from keras_mmfusion.models.runs.setting_checks import check_integers, check_positives


@dataclasses.dataclass(frozen=True)
class NodeRecipe:
    """A model class and its training settings.

    Args:
        model: subclass of `NodeClassifier`, whose defaults are those of its paper.
        learning_rate: float. Learning rate of Adam.
        epochs: int. Maximum number of full-graph steps.
        patience: int or `None`. Stop after this many epochs without a lower validation loss or a
            higher validation accuracy, and restore the weights of the last epoch that reached
            both. `None` trains for all epochs and keeps the last weights.
        seed: int. Seed of the initial weights and the dropout.

    Raises:
        ValueError: if a number is out of range.
    """

    model: type[NodeClassifier]
    learning_rate: float
    epochs: int
    patience: int | None = None
    seed: int = 0

    def __post_init__(self):
        check_positives(self, "learning_rate")
        patience = {} if self.patience is None else {"patience": 1}
        check_integers(self, {"epochs": 1, "seed": 0} | patience)


# The papers' settings for Cora, by the names of the command.
RECIPES = {
    "gcn": NodeRecipe(GCNClassifier, learning_rate=0.01, epochs=200),
    "gat": NodeRecipe(GATClassifier, learning_rate=0.005, epochs=100_000, patience=100),
    "appnp": NodeRecipe(APPNPClassifier, learning_rate=0.01, epochs=10_000, patience=100),
    "gcn2": NodeRecipe(GCN2Classifier, learning_rate=0.01, epochs=1_500, patience=100),
}


def get_node_recipe(name):
    """Returns the recipe of a paper.

    Args:
        name: string, `"gcn"`, `"gat"`, `"appnp"`, or `"gcn2"`.

    Returns:
        A `NodeRecipe`.

    Raises:
        ValueError: if there is no recipe of this name.
    """
    return RECIPES[check_choice(None, "name", name, RECIPES)]
