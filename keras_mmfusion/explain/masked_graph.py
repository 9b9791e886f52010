"""A graph with masks over its edges and features."""

import numpy as np
from keras import ops

from keras_mmfusion.layers.graph.hetero.hetero_graph_layer import with_string_keys
from keras_mmfusion.layers.masks import zero_masked

ONE = ""  # The relation, and the modality, of a graph that has only one.


class MaskedGraph:
    """Takes a model's inputs apart, and puts masks on them.

    Args:
        inputs: dict: a graph, a typed graph or the inputs of a `NodeClassifier`.

    Attributes:
        inputs: dict of tensors, typed relations with strings as keys.
        edge_index: dict, relation -> int array `(2, edges)`; the one of a plain graph is `""`.
        feature_counts: dict, modality -> the number of its features.

    Raises:
        ValueError: if `inputs` has no list of edges, or no features.
    """

    def __init__(self, inputs):
        if not isinstance(inputs, dict) or inputs.get("edge_index") is None:
            raise ValueError(
                "`graph` must be a dict with an 'edge_index' of shape (2, edges), or of one for "
                f"each relation. Received: {sorted(inputs) if isinstance(inputs, dict) else inputs}"
            )
        self.typed = isinstance(inputs["edge_index"], dict)
        inputs = {key: x for key, x in with_string_keys(inputs).items() if x is not None}
        self.inputs = {
            key: _each(ops.convert_to_tensor, x)
            if isinstance(x, dict)
            else ops.convert_to_tensor(x)
            for key, x in inputs.items()
        }
        self.edge_index = self._arrays("edge_index")
        self._zero_masked("edge_weight", "edge_mask")
        self.sparse = "feature_values" in self.inputs
        if self.sparse:
            columns = ops.convert_to_numpy(self.inputs["feature_index"])[1]
            self.feature_counts = {ONE: int(columns.max(initial=-1)) + 1}
        elif "node_features" in self.inputs:
            features = self._by_name(self.inputs["node_features"])
            self.feature_counts = {name: x.shape[-1] for name, x in features.items()}
            self._zero_masked("node_features", "node_mask")
        else:
            raise ValueError(
                "`graph` must have 'node_features', or the 'feature_index' and 'feature_values' of "
                f"`node_classifier_inputs`. Received: {sorted(self.inputs)}"
            )

    def _zero_masked(self, key, mask_key):
        """Zeros what is masked: what stands there, such as NaN, would be in the slopes."""
        if key in self.inputs and mask_key in self.inputs:
            masks = self._by_name(self.inputs[mask_key])
            values = self._by_name(self.inputs[key]).items()
            zeroed = {name: zero_masked(x, masks.get(name)) for name, x in values}
            self.inputs[key] = zeroed if self.typed else zeroed[ONE]

    def _by_name(self, x):
        return x if self.typed else {ONE: x}

    def _arrays(self, key):
        return {
            name: ops.convert_to_numpy(x) for name, x in self._by_name(self.inputs[key]).items()
        }

    def with_masks(self, edge_masks, feature_masks):
        """The inputs with weights of edges and features times these.

        Args:
            edge_masks: dict, relation -> float tensor `(edges,)`.
            feature_masks: dict, modality -> float tensor `(features,)`.
        """
        weights = self.inputs.get("edge_weight")
        weights = {} if weights is None else self._by_name(weights)
        weights = {
            name: mask if name not in weights else ops.cast(weights[name], "float32") * mask
            for name, mask in edge_masks.items()
        }
        inputs = {**self.inputs, "edge_weight": weights if self.typed else weights[ONE]}
        if self.sparse:
            of_entry = ops.take(feature_masks[ONE], inputs["feature_index"][1], axis=0)
            return {**inputs, "feature_values": inputs["feature_values"] * of_entry}
        features = {
            name: ops.cast(x, "float32") * feature_masks[name]
            for name, x in self._by_name(inputs["node_features"]).items()
        }
        return {**inputs, "node_features": features if self.typed else features[ONE]}

    def ones(self):
        """Masks of ones: dicts of arrays for edges and for features."""
        edges = {name: x.shape[1] for name, x in self.edge_index.items()}
        return tuple(
            {name: np.ones(count, "float32") for name, count in counts.items()}
            for counts in (edges, self.feature_counts)
        )


def _each(function, x):
    return {name: function(value) for name, value in x.items() if value is not None}
