import keras
from keras import ops

from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.graph.hetero.hetero_graph_layer import HeteroGraphLayer


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class HGTLayer(HeteroGraphLayer):
    """Heterogeneous graph transformer: attention over neighbors of all types and relations.

    With queries, keys and values by node type `τ`, and for each head of size `d`, an edge
    `j → i` of relation `r`:

    ```
    e_ij = (K_τ(j) h_j)ᵀ A_r (Q_τ(i) h_i) μ_r / √d
    α_ij = w_ij exp(e_ij) / Σ_k w_ik exp(e_ik),  over the edges into i of all relations
    h̃_i = ∥_heads Σ_j α_ij M_rᵀ V_τ(j) h_j
    h'_i = β (O_τ(i) GELU(h̃_i)) + (1 - β) h_i,  β = σ(s_τ(i))
    ```

    Q, K, V and O have biases. A node type whose dim is not `units` has no residual: `β = 1`. Edge
    weights multiply the attention before normalization; an edge without a positive weight is
    ignored. Softmax runs in float32, over all relations together.

    Args:
        units: int. Size of the output.
        num_heads: int. Divides `units`.
        activation: a name or function for the output. Defaults to none.
        kernel_initializer: initializer of the kernels.

    Call arguments:
        graph: dict of dicts, see `HeteroGraphLayer`.

    Output shape:
        A dict, node type -> `(nodes, units)` or `(batch, nodes, units)`.

    Raises:
        ValueError: if the graph dict is invalid, or an index is out of range.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import HGTLayer
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
    >>> {name: tuple(x.shape) for name, x in HGTLayer(8, num_heads=2)(graph).items()}
    {'image': (3, 8), 'text': (2, 8)}

    Reference:
        Hu et al., "Heterogeneous Graph Transformer", 2020, equations 3 to 5, with the gated
        residual of the authors' code.
    """

    def __init__(
        self,
        units,
        num_heads=1,
        activation=None,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(units, activation, **kwargs)
        if not isinstance(num_heads, int) or num_heads < 1 or units % num_heads:
            raise ValueError(
                f"HGTLayer: `num_heads` must divide `units`, {units}. Received: {num_heads!r}"
            )
        self.num_heads = num_heads
        self.head_dim = units // num_heads
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build_layer(self, dims):
        sources = sorted({self.split_relation(relation)[0] for relation in self.relations})
        targets = sorted({self.split_relation(relation)[1] for relation in self.relations})
        self.queries = {name: self._make_dense(dims[name], f"{name}_query") for name in targets}
        self.keys = {name: self._make_dense(dims[name], f"{name}_key") for name in sources}
        self.values = {name: self._make_dense(dims[name], f"{name}_value") for name in sources}
        self.output_denses = {
            name: self._make_dense(self.units, f"{name}_output") for name in self.node_types
        }
        self.gates = {
            name: self.add_weight(shape=(), initializer="ones", name=f"{name}_gate")
            for name in self.node_types
            if dims[name] == self.units
        }
        self.attention_kernels, self.message_kernels, self.priors = {}, {}, {}
        for relation in self.relations:
            name = relation.replace("/", "_")
            self.attention_kernels[relation] = self._add_kernel(f"{name}_attention")
            self.message_kernels[relation] = self._add_kernel(f"{name}_message")
            self.priors[relation] = self.add_weight(
                shape=(self.num_heads,), initializer="ones", name=f"{name}_prior"
            )

    def _make_dense(self, input_dim, name):
        layer = Dense(
            self.units,
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, input_dim))
        return layer

    def _add_kernel(self, name):
        return self.add_weight(
            shape=(self.num_heads, self.head_dim, self.head_dim),
            initializer=self.kernel_initializer.clone(),
            name=name,
        )

    def call(self, graph):
        inputs = self.parse(graph)
        outputs = {}
        for target, x in self.get_features(graph).items():
            incoming = {
                relation: each
                for relation, each in inputs.items()
                if self.split_relation(relation)[1] == target
            }
            attended = ops.gelu(self._attend(target, x, incoming), approximate=False)
            output = apply_to_rows(self.output_denses[target], attended)
            if target in self.gates:
                gate = ops.sigmoid(self.gates[target])
                output = gate * output + (1 - gate) * x
            outputs[target] = output
        return self.mask_outputs(graph, outputs, inputs)

    def _attend(self, target, x, incoming):
        """Attends to the sources of all relations, concatenated to one node set.

        Args:
            target: string. Node type.
            x: tensor. Features of the nodes of this type.
            incoming: dict, relation to this node type -> `GraphInputs`.
        """
        if not incoming:
            return ops.zeros((*ops.shape(x)[:-1], self.units), self.compute_dtype)
        keys, values = [], []
        for relation, inputs in incoming.items():
            source = self.split_relation(relation)[0]
            key = self._project_heads(self.keys[source], inputs.sources)
            key = ops.einsum("...hd,hde->...he", key, self.attention_kernels[relation])
            keys.append(key * ops.expand_dims(self.priors[relation], -1))
            value = self._project_heads(self.values[source], inputs.sources)
            values.append(ops.einsum("...hd,hde->...he", value, self.message_kernels[relation]))
        parts = [inputs.edges for inputs in incoming.values()]
        edges = parts[0].concatenate(parts)
        # Scale the query rather than the product, which may overflow in float16.
        query = self._project_heads(self.queries[target], x) * self.head_dim**-0.5
        attention = edges.softmax(edges.dot(query, ops.concatenate(keys, edges.node_axis)))
        values = ops.concatenate(values, edges.node_axis)
        attended = edges.sum(values, ops.cast(attention, self.compute_dtype))
        return ops.reshape(attended, (*ops.shape(x)[:-1], self.units))

    def _project_heads(self, dense, x):
        shape = (*ops.shape(x)[:-1], self.num_heads, self.head_dim)
        return ops.reshape(apply_to_rows(dense, x), shape)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
