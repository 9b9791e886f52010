import keras
from keras import ops

from keras_mmfusion._checks import check_integer, check_positive
from keras_mmfusion.layers.alignment.alignment import Alignment, unit_length
from keras_mmfusion.layers.alignment.assignment import solve_assignment
from keras_mmfusion.layers.alignment.optimal_transport import solve_optimal_transport
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.masks import zero_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GraphMatching(Alignment):
    """Matches the nodes of two graphs by what they are and by how they are connected.

    ```
    N_ij = cos(query_i W_q, value_j W_v)
    E_ij = Σ_kl plan_kl <e_ik, e'_jl> / (‖e_i‖ ‖e'_j‖)
    plan = Sinkhorn((N + w E) / τ)
    ```

    `e_ik` are the features of the edge between the query nodes `i` and `k`, `e'_jl` those of the
    value's; `E_ij` is the cosine of the edges of `i` and `j` when their other ends are matched by
    the plan. The first plan is of `N` alone; `rounds` times the next comes from the last. Sinkhorn
    gives every node of the smaller graph the sum 1, and those of the larger at most 1: what is
    left of the larger goes to a slack node.

    In training the plan is this soft one. At inference it is the one-to-one assignment, of zeros
    and ones, whose total is the largest (`solve_assignment`); `match` gives the soft plan anywhere.

    Args:
        projection_dim: int or `None`. Nodes, and edges if they have features, are compared after
            a linear projection of each to this size; with `None` as they are.
        temperature: positive float, `τ`: the smaller, the closer the soft plan to an assignment.
        rounds: int. How often the plan is found anew, with the edges under the last plan.

    Call arguments:
        query: float tensor `(batch, query_nodes, query_dim)`.
        value: float tensor `(batch, value_nodes, value_dim)`.
        query_edges: float tensor `(batch, query_nodes, query_nodes)`, an adjacency, or
            `(batch, query_nodes, query_nodes, edge_dim)`. Without edges, nodes alone are compared.
        value_edges: the same of the value.
        query_mask, value_mask: bool tensors, see `Alignment`. Edges of masked nodes do not count.
        training: bool. Whether the plan is the soft one.

    Output shape:
        See `Alignment`.

    Raises:
        ValueError: if an input is not a batch of nodes, if edges have the wrong shape or those of
            one graph are missing, or if what is compared has different dims.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.alignment import GraphMatching
    >>> nodes = np.eye(3)[None]
    >>> aligned, plan = GraphMatching()(nodes, nodes[:, [2, 0, 1]])
    >>> np.array(plan[0]).astype(int).tolist()
    [[0, 1, 0], [0, 0, 1], [1, 0, 0]]

    Reference:
        Gold and Rangarajan, "A Graduated Assignment Algorithm for Graph Matching", 1996, section
        2, with slack and softassign; learned affinities: Wang et al., "Learning Combinatorial
        Embedding Networks for Deep Graph Matching", 2019, section 3.
    """

    def __init__(self, projection_dim=None, temperature=0.1, rounds=5, **kwargs):
        super().__init__(projection_dim, **kwargs)
        caller = type(self).__name__
        self.temperature = check_positive(caller, "temperature", temperature)
        self.rounds = check_integer(caller, "rounds", rounds)
        self.edge_weight = None
        self.query_edge_dense = self.value_edge_dense = None

    def build(self, query_shape, value_shape, query_edges_shape=None, value_edges_shape=None):
        super().build(query_shape, value_shape)
        if query_edges_shape is None and value_edges_shape is None:
            return
        self._check_edges("query", query_shape, query_edges_shape)
        self._check_edges("value", value_shape, value_edges_shape)
        dims = [shape[3:] for shape in (query_edges_shape, value_edges_shape)]
        self.edge_weight = self.add_weight(shape=(), initializer="ones", name="edge_weight")
        if self.projection_dim is not None and all(dims):
            self.query_edge_dense = self.projection("query_edges")
            self.value_edge_dense = self.projection("value_edges")
            self.query_edge_dense.build(query_edges_shape)
            self.value_edge_dense.build(value_edges_shape)
        elif dims[0] != dims[1]:
            raise ValueError(
                "GraphMatching: `query_edges` and `value_edges` must have the same last dim to be "
                f"compared. Received shapes: {tuple(query_edges_shape)} and "
                f"{tuple(value_edges_shape)}. Give both features, and set `projection_dim` to "
                "compare projections."
            )

    def _check_edges(self, name, nodes, edges):
        if edges is None:
            raise ValueError(
                f"GraphMatching: `{name}_edges` is missing. Give the edges of both graphs or none."
            )
        count = nodes[1]
        sizes = edges[1:3]
        if len(edges) not in (3, 4) or any(None not in (n, count) and n != count for n in sizes):
            raise ValueError(
                f"GraphMatching: `{name}_edges` must have the shape (batch, nodes, nodes) or "
                f"(batch, nodes, nodes, edge_dim), of the nodes of `{name}` {tuple(nodes)}. "
                f"Received shape: {tuple(edges)}"
            )

    def call(
        self,
        query,
        value,
        query_edges=None,
        value_edges=None,
        query_mask=None,
        value_mask=None,
        training=False,
    ):
        plan = self.match(query, value, query_edges, value_edges, query_mask, value_mask)
        _, value, masks = self.read(query, value, query_mask, value_mask)
        if not training:
            plan = solve_assignment(plan, *masks)
        return self.align(plan, value), plan

    def match(
        self,
        query,
        value,
        query_edges=None,
        value_edges=None,
        query_mask=None,
        value_mask=None,
    ):
        """The soft plan.

        Args:
            query, value, query_edges, value_edges, query_mask, value_mask: as for the call.

        Returns:
            Float32 tensor `(batch, query_nodes, value_nodes)`.
        """
        query, value, masks = self.read(query, value, query_mask, value_mask)
        query, value = (unit_length(x) for x in self.project(query, value))
        affinity = ops.matmul(query, ops.transpose(value, (0, 2, 1)))
        plan = self._normalize(affinity, *masks)
        if self.edge_weight is None:
            return plan
        query_edges = self._unit_edges(query_edges, masks[0], self.query_edge_dense)
        value_edges = self._unit_edges(value_edges, masks[1], self.value_edge_dense)
        for _ in range(self.rounds):
            moved = ops.einsum("bikf,bkl->bilf", query_edges, plan)
            structure = ops.einsum("bilf,bjlf->bij", moved, value_edges)
            weight = ops.cast(self.edge_weight, "float32")
            plan = self._normalize(affinity + weight * structure, *masks)
        return plan

    def _unit_edges(self, edges, mask, dense):
        """Edges `(batch, nodes, nodes, dim)` in float32, those of each node of length one."""
        if len(edges.shape) == 3:
            edges = ops.expand_dims(edges, -1)
        edges = zero_masked(
            cast_input(self, edges), ops.logical_and(mask[:, :, None], mask[:, None])
        )
        if dense is not None:
            edges = dense(edges)
        edges = ops.cast(edges, "float32")
        length = ops.sum(ops.square(edges), axis=(2, 3), keepdims=True)
        return edges * ops.rsqrt(length + 1e-12)

    def _normalize(self, affinity, query_mask, value_mask):
        """Sinkhorn, with a slack node on each side that takes what is left of the other."""
        nodes = [ops.cast(mask, "float32") for mask in (query_mask, value_mask)]
        counts = [ops.sum(x, axis=1, keepdims=True) for x in nodes]
        slack = [ops.maximum(counts[1] - counts[0], 0.0), ops.maximum(counts[0] - counts[1], 0.0)]
        masses = [ops.concatenate([x, s], axis=1) for x, s in zip(nodes, slack, strict=True)]
        cost = ops.pad(-affinity, [[0, 0], [0, 1], [0, 1]])
        _, plan = solve_optimal_transport(
            cost, self.temperature, row_mass=masses[0], column_mass=masses[1]
        )
        return plan[:, :-1, :-1]

    def compute_output_shape(
        self, query_shape, value_shape, query_edges_shape=None, value_edges_shape=None
    ):
        return super().compute_output_shape(query_shape, value_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "rounds": self.rounds,
        }
