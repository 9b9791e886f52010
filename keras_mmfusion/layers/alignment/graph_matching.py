import keras
from keras import ops

from keras_mmfusion._checks import check_integer, check_positive
from keras_mmfusion.layers.alignment.alignment import Alignment, normalize_vectors
from keras_mmfusion.layers.alignment.assignment import solve_assignment
from keras_mmfusion.layers.alignment.optimal_transport import solve_optimal_transport
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.masks import zero_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GraphMatching(Alignment):
    """Matches the nodes of two graphs by their features and their edges.

    ```
    N_ij = cos(query_i W_q, value_j W_v)
    E_ij = Σ_kl plan_kl <e_ik, e'_jl> / (‖e_i‖ ‖e'_j‖)
    plan = Sinkhorn((N + w E) / τ)
    ```

    `e_ik` are the features of the edge between the query nodes `i` and `k`, and `e'_jl` those of
    the value nodes `j` and `l`; `E_ij` is the cosine of the edges of `i` and `j` if their other
    ends are matched by the plan. The first plan uses `N` only; each of the `rounds` next ones is
    computed from the previous plan. Sinkhorn normalization gives every node of the smaller graph
    the sum 1, and every node of the larger one at most 1: the rest goes to a slack node.

    In training, the plan is this soft one. At inference, it is the one-to-one assignment of zeros
    and ones with the largest total (`solve_assignment`). `match` always returns the soft plan.

    Args:
        projection_dim: int or `None`. Nodes, and edges with features, are compared after a linear
            projection to this size; `None` compares them directly.
        temperature: positive float, `τ`: the smaller, the closer the soft plan to an assignment.
        rounds: int. Number of times that the plan is updated with the edges.

    Call arguments:
        query: float tensor `(batch, query_nodes, query_dim)`.
        value: float tensor `(batch, value_nodes, value_dim)`.
        query_edges: float tensor `(batch, query_nodes, query_nodes)`, an adjacency matrix, or
            `(batch, query_nodes, query_nodes, edge_dim)`. Without edges, only nodes are compared.
        value_edges: the same for the value.
        query_mask, value_mask: bool tensors, see `Alignment`. Edges of masked nodes are ignored.
        training: bool. Whether to return the soft plan.

    Output shape:
        See `Alignment`.

    Raises:
        ValueError: if an input is not a batch of nodes, if edges have the wrong shape or are
            given for one graph only, or if the dims to compare differ.

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
            self.query_edge_dense = self.make_projection("query_edges")
            self.value_edge_dense = self.make_projection("value_edges")
            self.query_edge_dense.build(query_edges_shape)
            self.value_edge_dense.build(value_edges_shape)
        elif dims[0] != dims[1]:
            raise ValueError(
                "GraphMatching: `query_edges` and `value_edges` must have the same last dim. "
                f"Received shapes: {tuple(query_edges_shape)} and {tuple(value_edges_shape)}. To "
                "compare projections, pass features for both and set `projection_dim`."
            )

    def _check_edges(self, name, nodes, edges):
        if edges is None:
            raise ValueError(
                f"GraphMatching: `{name}_edges` is missing. Pass the edges of both graphs, or of "
                "neither."
            )
        count = nodes[1]
        sizes = edges[1:3]
        if len(edges) not in (3, 4) or any(None not in (n, count) and n != count for n in sizes):
            raise ValueError(
                f"GraphMatching: `{name}_edges` must have the shape (batch, nodes, nodes) or "
                f"(batch, nodes, nodes, edge_dim), for `{name}` of shape {tuple(nodes)}. "
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
        _, value, masks = self.mask_inputs(query, value, query_mask, value_mask)
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
        """Computes the soft plan.

        Args:
            query, value, query_edges, value_edges, query_mask, value_mask: as for the call.

        Returns:
            Float32 tensor `(batch, query_nodes, value_nodes)`.
        """
        query, value, masks = self.mask_inputs(query, value, query_mask, value_mask)
        query, value = (normalize_vectors(x) for x in self.project(query, value))
        node_affinity = ops.matmul(query, ops.transpose(value, (0, 2, 1)))
        plan = self._normalize_plan(node_affinity, *masks)
        if self.edge_weight is None:
            return plan
        query_edges = self._normalize_edges(query_edges, masks[0], self.query_edge_dense)
        value_edges = self._normalize_edges(value_edges, masks[1], self.value_edge_dense)
        for _ in range(self.rounds):
            transported = ops.einsum("bikf,bkl->bilf", query_edges, plan)
            edge_affinity = ops.einsum("bilf,bjlf->bij", transported, value_edges)
            weight = ops.cast(self.edge_weight, "float32")
            plan = self._normalize_plan(node_affinity + weight * edge_affinity, *masks)
        return plan

    def _normalize_edges(self, edges, mask, dense):
        """Scales the edges of each node to unit length: float32 `(batch, nodes, nodes, dim)`."""
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

    def _normalize_plan(self, affinity, query_mask, value_mask):
        """Sinkhorn normalization, with a slack node on each side for the larger graph's rest."""
        rows, columns = (ops.cast(mask, "float32") for mask in (query_mask, value_mask))
        excess = ops.sum(columns, axis=1, keepdims=True) - ops.sum(rows, axis=1, keepdims=True)
        cost = ops.pad(-affinity, [[0, 0], [0, 1], [0, 1]])
        _, plan = solve_optimal_transport(
            cost,
            self.temperature,
            row_mass=ops.concatenate([rows, ops.relu(excess)], axis=1),
            column_mass=ops.concatenate([columns, ops.relu(-excess)], axis=1),
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
