import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.graph.hetero.hetero_graph_layer import HeteroGraphLayer


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class RGCNLayer(HeteroGraphLayer):
    """Relational graph convolution: a kernel for each relation of a heterogeneous graph.

    For a node `i` of type `t`:

    ```
    h'_i = σ(W_t h_i + b_t + Σ_r W_r Σ_{j in N_r(i)} w_ij h_j / Σ_j w_ij)
    W_r = Σ_b a_rb V_b,  with `num_bases`
    ```

    Args:
        units: int. Size of the output.
        num_bases: int or `None`. Number of basis kernels `V_b` shared by the relations, whose
            sources must have the same dim. It reduces overfitting with many relations.
        activation: σ, a name or function. Defaults to none.
        use_bias: bool.
        kernel_initializer: initializer of the kernels.
        kernel_regularizer: regularizer of the kernels.

    Call arguments:
        graph: dict of dicts, see `HeteroGraphLayer`.

    Output shape:
        A dict, node type -> `(nodes, units)` or `(batch, nodes, units)`.

    Raises:
        ValueError: if the graph dict is invalid, or an index is out of range.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import RGCNLayer
    >>> graph = {
    ...     "node_features": {
    ...         "image": np.random.rand(3, 8).astype("float32"),
    ...         "text": np.random.rand(2, 5).astype("float32"),
    ...     },
    ...     "edge_index": {
    ...         ("image", "near", "image"): np.array([[0, 1], [1, 2]]),
    ...         ("image", "of", "text"): np.array([[0, 1, 2], [0, 0, 1]]),
    ...     },
    ... }
    >>> {name: tuple(x.shape) for name, x in RGCNLayer(16)(graph).items()}
    {'image': (3, 16), 'text': (2, 16)}

    Reference:
        Schlichtkrull et al., "Modeling Relational Data with Graph Convolutional Networks", 2018,
        equations 2 and 3.
    """

    def __init__(
        self,
        units,
        num_bases=None,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=None,
        **kwargs,
    ):
        super().__init__(units, activation, **kwargs)
        self.num_bases = None if num_bases is None else check_integer(self, "num_bases", num_bases)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build_layer(self, dims):
        self.self_denses = {}
        for node_type in self.node_types:
            self.self_denses[node_type] = Dense(
                self.units,
                use_bias=self.use_bias,
                kernel_initializer=self.kernel_initializer.clone(),
                kernel_regularizer=self.kernel_regularizer,
                dtype=self.dtype_policy,
                name=f"{node_type}_self",
            )
            self.self_denses[node_type].build((None, dims[node_type]))
        sources = {relation: dims[self.split_relation(relation)[0]] for relation in self.relations}
        self.kernels, self.bases, self.shares = {}, None, None
        if self.num_bases is None:
            for relation, dim in sources.items():
                self.kernels[relation] = self._add_kernel((dim, self.units), relation)
            return
        if len({*sources.values()}) != 1:
            raise ValueError(
                "RGCNLayer: with `num_bases`, all relations must have sources of the same dim. "
                f"Received: {sources}. Project the node sets first."
            )
        dim = sources[self.relations[0]]
        self.bases = self._add_kernel((self.num_bases, dim, self.units), "bases")
        self.shares = self._add_kernel((len(sources), self.num_bases), "shares")

    def _add_kernel(self, shape, name):
        return self.add_weight(
            shape=shape,
            initializer=self.kernel_initializer.clone(),
            regularizer=self.kernel_regularizer,
            name=f"{name.replace('/', '_')}_kernel",
        )

    def call(self, graph):
        inputs = self.parse(graph)
        outputs = {
            node_type: apply_to_rows(self.self_denses[node_type], x)
            for node_type, x in self.get_features(graph).items()
        }
        for relation, each in inputs.items():
            target = self.split_relation(relation)[1]
            message = each.edges.mean(each.sources)
            outputs[target] = outputs[target] + ops.matmul(message, self._get_kernel(relation))
        return self.mask_outputs(graph, outputs, inputs)

    def _get_kernel(self, relation):
        if self.num_bases is None:
            return self.kernels[relation]
        shares = self.shares[self.relations.index(relation)]
        return ops.einsum("b,bio->io", shares, self.bases)

    def get_config(self):
        return {
            **super().get_config(),
            "num_bases": self.num_bases,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
