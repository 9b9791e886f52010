"""What the prediction for a node rests on."""

import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr


@dataclasses.dataclass(frozen=True, repr=False)
class NodeExplanation:
    """Scores of edges and features for the prediction of one node, from `explain_nodes`.

    Of a plain graph, `edge_index`, `edge_scores` and `feature_scores` are arrays; of a typed graph
    each is a dict, by relation `"source/relation/target"` or by modality.

    Args:
        node: int. The node, or the entity, that the output's row is of.
        predicted_class: int.
        probability: float, of the predicted class.
        edge_index: int array `(2, edges)`.
        edge_scores: float array `(edges,)` in [0, 1]; 0 for an edge that has no effect.
        feature_scores: float array `(features,)` in [0, 1]; 0 for a feature without effect.
        attention: dict, name of a `GATLayer` -> float array `(edges, num_heads)`: the weight that
            the target of each edge gives it, loops left out. Empty for a model without one.
    """

    node: int
    predicted_class: int
    probability: float
    edge_index: np.ndarray | dict
    edge_scores: np.ndarray | dict
    feature_scores: np.ndarray | dict
    attention: dict

    def __repr__(self):
        edges = sum(index.shape[1] for index in _by_name(self.edge_index).values())
        facts = {name: getattr(self, name) for name in ("node", "predicted_class", "probability")}
        return short_repr(self, **facts, edges=edges)

    def top_edges(self, count=10):
        """The edges of the highest scores, above 0.

        Returns:
            List of `(source, target, score)`, the highest first; of a typed graph, source and
            target are `(modality, node)`.
        """
        found = []
        for relation, index in _by_name(self.edge_index).items():
            scores = _by_name(self.edge_scores)[relation]
            ends = relation.split("/")[::2] if relation else (None, None)
            for edge in np.argsort(-scores, kind="stable")[:count]:
                if scores[edge] > 0:
                    source, target = (
                        int(node) if modality is None else (modality, int(node))
                        for modality, node in zip(ends, index[:, edge], strict=True)
                    )
                    found.append((source, target, float(scores[edge])))
        return sorted(found, key=lambda edge: -edge[2])[:count]

    def top_features(self, count=10):
        """The features of the highest scores, above 0.

        Returns:
            List of `(feature, score)`, the highest first; of a typed graph, a feature is
            `(modality, feature)`.
        """
        found = []
        for modality, scores in _by_name(self.feature_scores).items():
            for feature in np.argsort(-scores, kind="stable")[:count]:
                if scores[feature] > 0:
                    feature = int(feature)
                    name = (modality, feature) if modality else feature
                    found.append((name, float(scores[name[1] if modality else feature])))
        return sorted(found, key=lambda each: -each[1])[:count]


def _by_name(x):
    return x if isinstance(x, dict) else {"": x}
