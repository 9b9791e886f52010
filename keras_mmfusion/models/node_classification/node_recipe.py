"""How each paper trained its classifier of nodes."""

import dataclasses

from keras_mmfusion.models.node_classification.appnp_classifier import APPNPClassifier
from keras_mmfusion.models.node_classification.gat_classifier import GATClassifier
from keras_mmfusion.models.node_classification.gcn2_classifier import GCN2Classifier
from keras_mmfusion.models.node_classification.gcn_classifier import GCNClassifier
from keras_mmfusion.models.node_classification.node_classifier import NodeClassifier
from keras_mmfusion.models.runs.setting_checks import check_integers, check_positives


@dataclasses.dataclass(frozen=True)
class NodeRecipe:
    """A classifier's class and how to train it.

    Args:
        model: subclass of `NodeClassifier`, whose defaults are the paper's.
        learning_rate: float, of Adam.
        epochs: int. Steps over the whole graph at most.
        patience: int or `None`. Stop after so many epochs without a lower validation loss or a
            higher validation accuracy, and take the weights of the epoch that had both; `None`
            trains for all epochs and takes the last weights.

    Raises:
        ValueError: if a number is out of its range.
    """

    model: type[NodeClassifier]
    learning_rate: float
    epochs: int
    patience: int | None = None

    def __post_init__(self):
        check_positives(self, "learning_rate")
        check_integers(self, {"epochs": 1} | ({} if self.patience is None else {"patience": 1}))


# By the names of the command; on Cora, as in the papers.
RECIPES = {
    "gcn": NodeRecipe(GCNClassifier, learning_rate=0.01, epochs=200),
    "gat": NodeRecipe(GATClassifier, learning_rate=0.005, epochs=100_000, patience=100),
    "appnp": NodeRecipe(APPNPClassifier, learning_rate=0.01, epochs=10_000, patience=100),
    "gcn2": NodeRecipe(GCN2Classifier, learning_rate=0.01, epochs=1_500, patience=100),
}
