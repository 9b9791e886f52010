"""Explanation of the prediction for a node."""

import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.explain.figures.subgraph import rank_edges


@dataclasses.dataclass(frozen=True, repr=False)
class NodeExplanation:
    """Scores of edges and features for the prediction of one node, from `explain_nodes`.

    For a homogeneous graph, `edge_index`, `edge_scores` and `feature_scores` are arrays. For a
    heterogeneous graph they are dicts, by relation `"source/relation/target"` or by modality.

    Args:
        node: int. The node or entity: a row of the model's output.
        predicted_class: int.
        probability: float. Probability of the predicted class.
        edge_index: int array `(2, edges)`.
        edge_scores: float array `(edges,)` in [0, 1]; 0 for an edge without effect.
        feature_scores: float array `(features,)` in [0, 1]; 0 for a feature without effect.
        attention: dict, name of a `GATLayer` -> float array `(edges, num_heads)` of attention
            weights, without self-loops. Empty for a model without such layers.
    """

    node: int
    predicted_class: int
    probability: float
    edge_index: np.ndarray | dict
    edge_scores: np.ndarray | dict
    feature_scores: np.ndarray | dict
    attention: dict

    def __repr__(self):
        edges = sum(index.shape[1] for index in _as_dict(self.edge_index).values())
        values = {name: getattr(self, name) for name in ("node", "predicted_class", "probability")}
        return short_repr(self, **values, edges=edges)

    def list_top_edges(self, count=10):
        """Returns the edges with the highest scores above 0.

        Returns:
            List of `(source, target, score)` by decreasing score. In a heterogeneous graph,
            source and target are `(modality, node)`.
        """
        return rank_edges(_as_dict(self.edge_index), _as_dict(self.edge_scores), count)

    def list_top_features(self, count=10):
        """Returns the features with the highest scores above 0.

        Returns:
            List of `(feature, score)` by decreasing score. In a heterogeneous graph, a feature is
            `(modality, feature)`.
        """
        features = []
        for modality, scores in _as_dict(self.feature_scores).items():
            for feature in map(int, np.argsort(-scores, kind="stable")[:count]):
                if scores[feature] > 0:
                    name = (modality, feature) if modality else feature
                    features.append((name, float(scores[feature])))
        return sorted(features, key=lambda each: -each[1])[:count]


def _as_dict(x):
    return x if isinstance(x, dict) else {"": x}
