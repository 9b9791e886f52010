"""Predictions for the nodes of a graph."""

import numpy as np
from keras import ops

from keras_mmfusion.explain.adapters.explainable_fusion import check_index
from keras_mmfusion.explain.adapters.sample_checks import check_baselines
from keras_mmfusion.explain.explainable import Explainable
from keras_mmfusion.explain.internals.masked_graph import ONE, MaskedGraph


class ExplainableNode(Explainable):
    """The logit of a class for a node, as a function of masks of the edges and the features.

    The inputs are masks of ones: a mask multiplies the weight of an edge, or a feature of all
    nodes. A homogeneous graph has the modalities `"edges"` and `"features"`; a heterogeneous one
    its relations, such as `"user/buys/item"`, and its node sets.
    """

    @classmethod
    def from_sample(cls, model, inputs, target=None, baselines=None):
        """Reads a graph.

        Args:
            model: Keras model that maps a graph to logits `(nodes, classes)`.
            inputs: see `explain_nodes`.
            target: int, a node, or a tuple of a node and a class.
            baselines: must be `None`.
        """
        check_baselines(baselines, {})
        graph = MaskedGraph(inputs)
        logits = ops.convert_to_numpy(model(graph.inputs, training=False))
        if logits.ndim != 2:
            raise ValueError(
                f"`model` must return logits (nodes, classes). Received shape: {logits.shape}"
            )
        node, predicted = target if isinstance(target, tuple) else (target, None)
        check_index("target", node, len(logits), "nodes")
        if predicted is None:
            predicted = int(logits[node].argmax())
        check_index("target", predicted, logits.shape[1], "classes")
        edges, features = graph.make_ones()
        names = {"edges": {}, "features": {}}
        for part, masks in (("edges", edges), ("features", features)):
            names[part] = {part if key == ONE else key: key for key in masks}
        inputs = {name: edges[key] for name, key in names["edges"].items()}
        inputs |= {name: features[key] for name, key in names["features"].items()}
        explainable = cls(
            model,
            inputs,
            {name: "edges" if name in names["edges"] else "vector" for name in inputs},
            {name: np.zeros_like(x) for name, x in inputs.items()},
            {"node": np.array(node, "int32"), "class": np.array(predicted, "int32")},
            f"the logit of class {predicted} for node {node}",
            {name: "weights of the edges set to 0" for name in names["edges"]}
            | {name: "feature of all nodes set to 0" for name in names["features"]},
        )
        explainable.graph, explainable.names, explainable.functions = graph, names, {}
        explainable.node, explainable.predicted = int(node), int(predicted)
        return explainable

    def get_part_shapes(self, level):
        if level == "modality":
            return dict.fromkeys(self.modalities, ())
        part = {"edge": "edges", "feature": "features"}.get(level)
        return {name: self.inputs[name].shape for name in self.names.get(part, {})}

    def get_edges(self):
        return {name: self.graph.edge_index[key] for name, key in self.names["edges"].items()}

    def cache_function(self, key, make):
        if key not in self.functions:  # Not kept with the model: the graph is a constant of them.
            self.functions[key] = make()
        return self.functions[key]

    def _compute(self, values, keep, constants):
        values = {
            name: self.replace_removed(name, x, keep, constants) for name, x in values.items()
        }

        def score(masks):
            edges, features = (
                {key: masks[name] for name, key in self.names[part].items()}
                for part in ("edges", "features")
            )
            logits = self.model(self.graph.apply_masks(edges, features), training=False)
            row = ops.take(logits, constants["node"][0], axis=0)
            return ops.cast(ops.take(row, constants["class"][0]), "float32")

        return ops.map(score, values)
