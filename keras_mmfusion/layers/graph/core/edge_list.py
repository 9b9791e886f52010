import numpy as np
from keras import ops

from keras_mmfusion.layers.graph.core.segment_ops import gather, segment_max, segment_sum
from keras_mmfusion.layers.graph.core.sparse_product import multiply_sparse, supports_sparse

LOWEST = float(np.finfo("float32").min)


class EdgeList:
    """Message passing over an edge list.

    `DenseEdges` has the same methods for adjacency matrices, so each layer implements its formula
    once. Node values are tensors `(nodes, ...)`, edge values `(edges, ...)`. An edge of weight 0
    does not exist, and duplicate edges add up.

    Args:
        source: int tensor `(edges,)`, or `None` if edge `e` starts at node `e`.
        target: int tensor `(edges,)`.
        num_sources: int or scalar tensor; `None` if `source` is `None`.
        num_targets: int or scalar tensor.
        weight: float tensor `(edges,)`, or `None` for ones.
        order: int tensor `(2, edges)` from `order_edges`, which sorts `source` and `target`; or
            `None` if it is not known.
    """

    node_axis = 0

    def __init__(self, source, target, num_sources, num_targets, weight=None, order=None):
        self.source = source
        self.target = target
        self.num_sources = num_sources
        self.num_targets = num_targets
        self.weight = weight
        self.order = order

    @classmethod
    def concatenate(cls, parts):
        """Concatenates the sources of several edge lists that share their targets."""
        sources, offset = [], 0
        for part in parts:
            sources.append(part.source + ops.cast(offset, part.source.dtype))
            offset = offset + part.num_sources
        weight = None
        if any(part.weight is not None for part in parts):
            weight = ops.concatenate([part.get_weights() for part in parts])
        target = ops.concatenate([part.target for part in parts])
        return cls(ops.concatenate(sources), target, offset, parts[0].num_targets, weight)

    def add_loops(self):
        """Appends a self-loop of weight 1 for each node; existing self-loops get weight 0."""
        loops = ops.arange(self.num_targets, dtype=self.target.dtype)
        weight = ops.where(ops.equal(self.source, self.target), 0.0, self.get_weights())
        return EdgeList(
            ops.concatenate([self.source, loops]),
            ops.concatenate([self.target, loops]),
            self.num_sources,
            self.num_targets,
            ops.concatenate([weight, ops.ones_like(loops, "float32")]),
        )

    def get_weights(self):
        """Float32 tensor `(edges,)`."""
        if self.weight is None:
            return ops.ones_like(self.target, "float32")
        return ops.cast(self.weight, "float32")

    def gather_sources(self, x):
        """Returns the value of each edge's source."""
        return x if self.source is None else gather(x, self.source)

    def gather_targets(self, x):
        """Returns the value of each edge's target."""
        return gather(x, self.target)

    def compute_target_degree(self):
        """Returns the sum of each target's edge weights, in float32."""
        return segment_sum(self.get_weights(), self.target, self.num_targets)

    def compute_source_degree(self):
        """Returns the sum of each source's edge weights, in float32."""
        return segment_sum(self.get_weights(), self.source, self.num_sources)

    def sum(self, x, coefficient=None):
        """`Σ_e coefficient_e x_source(e)` over the edges into each target.

        Args:
            x: tensor `(sources, dim)`; or `(sources, heads, dim)` with a coefficient
                `(edges, heads)`.
            coefficient: tensor `(edges,)` or `(edges, heads)`. Defaults to the edge weights.
        """
        coefficient = self.weight if coefficient is None else coefficient
        if self.source is not None and supports_sparse(x, coefficient, self.order):
            index, shape = (self.target, self.source), (self.num_targets, self.num_sources)
            order = (None, None) if self.order is None else (self.order[1], self.order[0])
            return multiply_sparse(index, coefficient, shape, x, order)
        messages = self.gather_sources(x)
        if coefficient is not None:
            messages = messages * ops.expand_dims(ops.cast(coefficient, x.dtype), -1)
        return segment_sum(messages, self.target, self.num_targets)

    def mean(self, x):
        """Returns the weighted mean of `x` over the edges into each target; zeros without edges."""
        return divide(self.sum(x), self.compute_target_degree())

    def max(self, x):
        """Returns the elementwise maximum of `x` over the edges into each target; zeros without.

        Ties share the gradient. It is computed here because the backends differ, and JAX's
        `segment_max` has no gradient.
        """
        messages = ops.cast(self.gather_sources(x), "float32")
        exists = ops.expand_dims(ops.not_equal(self.get_weights(), 0), -1)
        top = segment_max(ops.where(exists, messages, LOWEST), self.target, self.num_targets)
        top = ops.where(top <= LOWEST, 0, top)
        wins = ops.logical_and(exists, ops.equal(messages, self.gather_targets(top)))
        wins = ops.cast(wins, "float32")
        number = segment_sum(wins, self.target, self.num_targets)
        share = wins / ops.maximum(self.gather_targets(number), 1)
        gradient = share * (messages - ops.stop_gradient(messages))  # Zero, with a gradient.
        return ops.cast(top + segment_sum(gradient, self.target, self.num_targets), x.dtype)

    def dot(self, query, key):
        """Returns the product of the target's query and the source's key, by edge and head."""
        return ops.sum(self.gather_targets(query) * self.gather_sources(key), axis=-1)

    def softmax(self, scores):
        """`w_e exp(score_e) / Σ w exp(score)` over the edges into each target, in float32.

        Args:
            scores: tensor `(edges, heads)`. Edges without a positive weight get zeros.
        """
        scores = ops.cast(scores, "float32")
        if self.weight is not None:
            exists, log_weight = safe_log(ops.expand_dims(self.get_weights(), -1))
            scores = ops.where(exists, scores + log_weight, LOWEST)
        top = segment_max(scores, self.target, self.num_targets)
        top = ops.where(top <= LOWEST, 0, top)
        powers = ops.exp(scores - self.gather_targets(top))
        total = segment_sum(powers, self.target, self.num_targets)
        return powers / ops.maximum(self.gather_targets(total), np.finfo("float32").tiny)


def divide(total, degree):
    """Returns `total / degree` for each row, in the dtype of `total`; zeros for a degree of 0."""
    inverse = ops.where(degree == 0, 0, 1 / ops.where(degree == 0, 1, degree))
    return ops.cast(ops.cast(total, "float32") * ops.expand_dims(inverse, -1), total.dtype)


def safe_log(weight):
    """Returns whether each weight is positive, and its logarithm, 0 where it is not."""
    exists = weight > 0
    return exists, ops.log(ops.where(exists, weight, 1.0))
