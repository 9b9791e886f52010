"""Multiplicative masks for the edges and features of a model's graph inputs."""

import numpy as np
from keras import ops

from keras_mmfusion.layers.graph.hetero.hetero_graph_layer import join_relations
from keras_mmfusion.layers.masks import zero_masked

ONE = ""  # Key of the only relation and the only modality of a homogeneous graph.


class MaskedGraph:
    """Applies masks to the edges and features of a graph.

    Args:
        inputs: dict: a graph, a heterogeneous graph or the inputs of a `NodeClassifier`.

    Attributes:
        inputs: dict of tensors, with strings as the keys of relations.
        edge_index: dict, relation -> int array `(2, edges)`; the key of a homogeneous graph is
            `""`.
        feature_counts: dict, modality -> number of features.

    Raises:
        ValueError: if `inputs` has no `edge_index`, or no features.
    """

    def __init__(self, inputs):
        if not isinstance(inputs, dict) or inputs.get("edge_index") is None:
            raise ValueError(
                "`graph` must be a dict with an 'edge_index' of shape (2, edges), or a dict of one "
                "per relation. Received: "
                f"{sorted(inputs) if isinstance(inputs, dict) else inputs}"
            )
        self.hetero = isinstance(inputs["edge_index"], dict)
        inputs = {key: x for key, x in join_relations(inputs).items() if x is not None}
        self.inputs = {
            key: _convert_each(x) if isinstance(x, dict) else ops.convert_to_tensor(x)
            for key, x in inputs.items()
        }
        self.edge_index = {
            name: ops.convert_to_numpy(x)
            for name, x in self._as_dict(self.inputs["edge_index"]).items()
        }
        self._zero_masked("edge_weight", "edge_mask")
        self.sparse = "feature_values" in self.inputs
        if self.sparse:
            columns = ops.convert_to_numpy(self.inputs["feature_index"])[1]
            self.feature_counts = {ONE: int(columns.max(initial=-1)) + 1}
        elif "node_features" in self.inputs:
            features = self._as_dict(self.inputs["node_features"])
            self.feature_counts = {name: x.shape[-1] for name, x in features.items()}
            self._zero_masked("node_features", "node_mask")
        else:
            raise ValueError(
                "`graph` must have 'node_features', or the 'feature_index' and 'feature_values' of "
                f"`make_node_inputs`. Received: {sorted(self.inputs)}"
            )

    def _zero_masked(self, key, mask_key):
        """Replaces masked values by zeros; NaN there would otherwise reach the gradients."""
        if key in self.inputs and mask_key in self.inputs:
            masks = self._as_dict(self.inputs[mask_key])
            values = self._as_dict(self.inputs[key]).items()
            zeroed = {name: zero_masked(x, masks.get(name)) for name, x in values}
            self.inputs[key] = self.unwrap(zeroed)

    def _as_dict(self, x):
        return x if self.hetero else {ONE: x}

    def unwrap(self, values):
        """Returns the dict for a heterogeneous graph, else its only value."""
        return values if self.hetero else values[ONE]

    def apply_masks(self, edge_masks, feature_masks):
        """Returns the inputs with edge weights and features multiplied by masks.

        Args:
            edge_masks: dict, relation -> float tensor `(edges,)`.
            feature_masks: dict, modality -> float tensor `(features,)`.
        """
        weights = self.inputs.get("edge_weight")
        weights = {} if weights is None else self._as_dict(weights)
        weights = {
            name: mask if name not in weights else ops.cast(weights[name], "float32") * mask
            for name, mask in edge_masks.items()
        }
        inputs = {**self.inputs, "edge_weight": self.unwrap(weights)}
        if self.sparse:
            entry_mask = ops.take(feature_masks[ONE], inputs["feature_index"][1], axis=0)
            return {**inputs, "feature_values": inputs["feature_values"] * entry_mask}
        features = {
            name: ops.cast(x, "float32") * feature_masks[name]
            for name, x in self._as_dict(inputs["node_features"]).items()
        }
        return {**inputs, "node_features": self.unwrap(features)}

    def make_ones(self):
        """Returns masks of ones: dicts of arrays for edges and for features."""
        edges = {name: x.shape[1] for name, x in self.edge_index.items()}
        return tuple(
            {name: np.ones(count, "float32") for name, count in counts.items()}
            for counts in (edges, self.feature_counts)
        )


def _convert_each(x):
    return {name: ops.convert_to_tensor(value) for name, value in x.items() if value is not None}
