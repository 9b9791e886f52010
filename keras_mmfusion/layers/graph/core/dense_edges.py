import numpy as np
from keras import ops

from keras_mmfusion.layers.graph.core.edge_list import LOWEST, divide, safe_log


class DenseEdges:
    """Message passing over a batch of adjacency matrices.

    It has the methods of `EdgeList`. Node values are tensors `(batch, nodes, ...)`, edge values
    `(batch, targets, sources, ...)`.

    Args:
        weight: float tensor `(batch, targets, sources)`, 0 where there is no edge.
    """

    node_axis = 1

    def __init__(self, weight):
        self.weight = weight

    @classmethod
    def concatenate(cls, parts):
        """Concatenates the sources of several adjacency matrices that share their targets."""
        return cls(ops.concatenate([part.weight for part in parts], axis=2))

    def add_loops(self):
        """Replaces each node's self-loop by one of weight 1."""
        nodes = ops.arange(ops.shape(self.weight)[1])
        loop = ops.expand_dims(nodes[:, None] == nodes[None, :], 0)
        return DenseEdges(ops.where(loop, ops.ones_like(self.weight), self.weight))

    def get_weights(self):
        """Float32 tensor `(batch, targets, sources)`."""
        return ops.cast(self.weight, "float32")

    def gather_sources(self, x):
        """Returns the value of each edge's source, to be broadcast over targets."""
        return ops.expand_dims(x, 1)

    def gather_targets(self, x):
        """Returns the value of each edge's target, to be broadcast over sources."""
        return ops.expand_dims(x, 2)

    def compute_target_degree(self):
        """Returns the sum of each target's edge weights, in float32."""
        return ops.sum(self.get_weights(), axis=2)

    def compute_source_degree(self):
        """Returns the sum of each source's edge weights, in float32."""
        return ops.sum(self.get_weights(), axis=1)

    def sum(self, x, coefficient=None):
        """`Σ_e coefficient_e x_source(e)` over the edges into each target; see `EdgeList`."""
        coefficient = ops.cast(self.weight if coefficient is None else coefficient, x.dtype)
        if len(x.shape) == 3:
            return ops.matmul(coefficient, x)
        return ops.einsum("btsh,bshd->bthd", coefficient, x)

    def mean(self, x):
        """Returns the weighted mean of `x` over the edges into each target; zeros without edges."""
        return divide(self.sum(x), self.compute_target_degree())

    def max(self, x):
        """Returns the elementwise maximum of `x` over the edges into each target; zeros without."""
        exists = ops.expand_dims(ops.not_equal(self.weight, 0), -1)
        messages = ops.where(exists, ops.cast(self.gather_sources(x), "float32"), LOWEST)
        if 0 in messages.shape:  # Backends disagree on the maximum of an empty axis.
            return ops.zeros((*ops.shape(messages)[:2], x.shape[-1]), x.dtype)
        top = ops.max(messages, axis=2, initial=LOWEST)
        return ops.cast(ops.where(ops.any(exists, axis=2), top, 0), x.dtype)

    def dot(self, query, key):
        """Returns the product of the target's query and the source's key, by edge and head."""
        return ops.einsum("bthd,bshd->btsh", query, key)

    def softmax(self, scores):
        """`w_e exp(score_e) / Σ w exp(score)` over the edges into each target, in float32.

        Args:
            scores: tensor `(batch, targets, sources, heads)`. Pairs without an edge get zeros.
        """
        exists, log_weight = safe_log(ops.expand_dims(self.get_weights(), -1))
        scores = ops.where(exists, ops.cast(scores, "float32") + log_weight, LOWEST)
        top = ops.stop_gradient(ops.max(scores, axis=2, keepdims=True, initial=LOWEST))
        powers = ops.where(exists, ops.exp(scores - top), 0)
        total = ops.sum(powers, axis=2, keepdims=True)
        return powers / ops.maximum(total, np.finfo("float32").tiny)
