"""Converts graphs between TF-GNN's GraphTensor and the dicts of graph layers.

TF-GNN depends on legacy Keras and is used only in this module. The converted graphs are dicts of
tensors, which Keras 3 models in the same process accept.
"""

import importlib.util
import pathlib

from keras_mmfusion.files.atomic_files import replace_file

SCHEMA = "schema.pbtxt"
EXAMPLES = "examples.tfrecord"
HIDDEN_STATE = "hidden_state"  # TF-GNN's name for node features.
WEIGHT = "weight"


def import_tfgnn():
    """Imports the module `tensorflow_gnn`.

    Raises:
        ImportError: if it is not installed, or TensorFlow was imported without legacy Keras.
    """
    missing = [name for name in ("tensorflow_gnn", "tf_keras") if not _is_installed(name)]
    if missing:
        raise ImportError(
            f"GraphTensors require the package {missing[0]!r}, which is not installed. Run "
            '`pip install "keras-mmfusion[gnn]"`.'
        )
    import tensorflow as tf

    if not tf.keras.Model.__module__.startswith("tf_keras"):
        raise ImportError(
            "TF-GNN requires legacy Keras as `tf.keras`, but TensorFlow was imported with Keras 3. "
            "Set TF_USE_LEGACY_KERAS=1 in the environment before Python starts, as in "
            "`TF_USE_LEGACY_KERAS=1 python train.py`, or in `os.environ` before the first import "
            "of TensorFlow, Keras or this package's layers. Keras 3 models still work."
        )
    import tensorflow_gnn

    return tensorflow_gnn


def _is_installed(name):
    return importlib.util.find_spec(name) is not None


def graph_from_tensor(graph_tensor, feature=HIDDEN_STATE, component_mask=None):
    """Converts a `tfgnn.GraphTensor` to a graph dict, eagerly or in a `tf.data` pipeline.

    A batch is merged into one graph. A graph with one node set and one edge set becomes a graph
    dict of `GraphLayer`; other graphs become a graph dict of `HeteroGraphLayer` with relations
    `(source, edge set, target)`.

    Args:
        graph_tensor: `tfgnn.GraphTensor`, scalar or a batch.
        feature: string. The feature of the node sets that becomes `node_features`, floats
            `(nodes, dim)`.
        component_mask: bool tensor `(components,)`, `False` for padding, as returned by
            `tfgnn.pad_to_total_sizes` with the padded graph.

    Returns:
        A dict with `node_features`, `edge_index`, `edge_weight` if edges have a feature
        `"weight"`, and `graph_index`, the component of each node; with a `component_mask` also
        `node_mask`, `edge_mask` and `graph_mask`. In a heterogeneous graph all entries except
        `graph_mask` are dicts.

    Raises:
        ValueError: if the feature of a node set is missing or has another dtype or rank.
    """
    import_tfgnn()
    import tensorflow as tf

    if graph_tensor.rank:
        graph_tensor = graph_tensor.merge_batch_to_components()
    graph = {"node_features": {}, "edge_index": {}, "edge_weight": {}, "graph_index": {}}
    masks = {"node_mask": {}, "edge_mask": {}}
    for name, nodes in graph_tensor.node_sets.items():
        graph["node_features"][name] = _get_features(name, nodes, feature)
        graph["graph_index"][name] = index = _get_components(nodes)
        if component_mask is not None:
            masks["node_mask"][name] = tf.gather(component_mask, index)
    for name, edges in graph_tensor.edge_sets.items():
        adjacency = edges.adjacency
        relation = (adjacency.source_name, name, adjacency.target_name)
        graph["edge_index"][relation] = tf.stack([adjacency.source, adjacency.target])
        if WEIGHT in edges.features:
            graph["edge_weight"][relation] = tf.cast(edges[WEIGHT], "float32")
        if component_mask is not None:
            masks["edge_mask"][relation] = tf.gather(component_mask, _get_components(edges))
    if component_mask is not None:
        graph |= masks
    if len(graph["node_features"]) == len(graph["edge_index"]) == 1:
        graph = {key: next(iter(each.values())) for key, each in graph.items() if each}
    graph = {key: value for key, value in graph.items() if not isinstance(value, dict) or value}
    return graph if component_mask is None else {**graph, "graph_mask": component_mask}


def _get_features(name, nodes, feature):
    if feature not in nodes.features:
        raise ValueError(
            f"The node set {name!r} has no feature {feature!r}. Its features: "
            f"{', '.join(map(repr, nodes.features)) or 'none'}"
        )
    x = nodes[feature]
    if not hasattr(x, "shape") or x.shape.rank != 2 or not x.dtype.is_floating:
        raise ValueError(
            f"The feature {feature!r} of the node set {name!r} must be floats (nodes, dim). "
            f"Received: {x.dtype.name}, shape {x.shape}"
        )
    return x


def _get_components(items):
    """Returns the index of the component of each node or edge."""
    import tensorflow as tf

    return tf.repeat(tf.range(tf.shape(items.sizes)[0]), items.sizes)


def graph_to_tensor(graph, context=None):
    """Converts a graph dict, homogeneous or heterogeneous, to a scalar `tfgnn.GraphTensor`.

    Args:
        graph: dict of `node_features`, `edge_index` and optionally `edge_weight`, as arrays or
            dicts of arrays; see `GraphLayer` and `HeteroGraphLayer`. The node set of a homogeneous
            graph is named `"nodes"`, its edge set `"edges"`.
        context: dict, name -> array. Features of the whole graph, such as its label.

    Returns:
        `tfgnn.GraphTensor` with one component.

    Raises:
        ValueError: if the graph has other entries, or edge sets with the same name.
    """
    tfgnn = import_tfgnn()
    unknown = sorted(set(graph) - {"node_features", "edge_index", "edge_weight"})
    if unknown:
        raise ValueError(
            "`graph` must have only the entries node_features, edge_index and edge_weight, which "
            f"a GraphTensor can store. Received: {', '.join(unknown)}"
        )
    if not isinstance(graph["node_features"], dict):
        relation = ("nodes", "edges", "nodes")
        keys = {"node_features": "nodes", "edge_index": relation, "edge_weight": relation}
        graph = {name: {keys[name]: value} for name, value in graph.items()}
    weights = graph.get("edge_weight", {})
    node_sets = {
        name: tfgnn.NodeSet.from_fields(sizes=[len(x)], features={HIDDEN_STATE: x})
        for name, x in graph["node_features"].items()
    }
    edge_sets = {}
    for relation, (source, target) in graph["edge_index"].items():
        source_set, name, target_set = _parse_relation(relation)
        edge_sets[name] = tfgnn.EdgeSet.from_fields(
            sizes=[len(source)],
            features={WEIGHT: weights[relation]} if relation in weights else {},
            adjacency=tfgnn.Adjacency.from_indices((source_set, source), (target_set, target)),
        )
    if len(edge_sets) != len(graph["edge_index"]):
        raise ValueError(
            "The relations of a GraphTensor must have different names. Received: "
            f"{sorted(map(_parse_relation, graph['edge_index']))}"
        )
    context = {name: [value] for name, value in (context or {}).items()}
    return tfgnn.GraphTensor.from_pieces(
        node_sets=node_sets,
        edge_sets=edge_sets,
        context=tfgnn.Context.from_fields(features=context),
    )


def _parse_relation(key):
    return tuple(key.split("/")) if isinstance(key, str) else key


def write_graph_tensors(graph_tensors, folder):
    """Writes GraphTensors with the same schema as tf.Examples.

    Args:
        graph_tensors: iterable of scalar `tfgnn.GraphTensor`.
        folder: string or path. The folder for `examples.tfrecord` and `schema.pbtxt`.

    Returns:
        A tuple of the paths of the two files.

    Raises:
        ValueError: if there is no graph.
    """
    tfgnn = import_tfgnn()
    import tensorflow as tf

    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    first = None
    with replace_file(folder / EXAMPLES) as examples, replace_file(folder / SCHEMA) as schema:
        with tf.io.TFRecordWriter(str(examples)) as writer:
            for graph_tensor in graph_tensors:
                if first is None:
                    first = graph_tensor
                writer.write(tfgnn.write_example(graph_tensor).SerializeToString())
        if first is None:
            raise ValueError("`graph_tensors` must contain at least one graph.")
        tfgnn.write_schema(tfgnn.create_schema_pb_from_graph_spec(first), str(schema))
    return folder / EXAMPLES, folder / SCHEMA


def graph_tensor_dataset(
    files, schema, batch_size=1, budget=None, feature=HIDDEN_STATE, label=None
):
    """Reads TF-GNN's files as a `tf.data.Dataset` for `fit`; each batch is merged into one graph.

    Args:
        files: string, path or list of them. TFRecord files of tf.Examples.
        schema: string or path. A `GraphSchema` in text format.
        batch_size: int. The number of graphs in a batch.
        budget: `tfgnn.SizeConstraints` of a batch, or `None`. Batches are padded to the budget, so
            that XLA compiles once; `tfgnn.find_tight_batch_size_constraints` computes a budget.
            Larger batches raise an error.
        feature: see `graph_from_tensor`.
        label: string. The feature of the context that is the label of a graph, or `None`.

    Returns:
        `tf.data.Dataset` of dicts (see `graph_from_tensor`); with a `label`, of tuples `(graph,
        labels)`; with a `label` and a `budget`, of tuples `(graph, labels, weights)`, where the
        weight of padding is 0.

    Raises:
        ValueError: if a file does not exist, or the schema does not contain the label.

    Example:

    ```python
    graphs = graph_tensor_dataset("graphs/examples.tfrecord", "graphs/schema.pbtxt", 32, label="y")
    model.fit(graphs.shuffle(100, seed=0).prefetch(2), shuffle=False)
    ```

    Reference:
        Ferludin et al., "TF-GNN: Graph Neural Networks in TensorFlow", 2023, section 3.
    """
    tfgnn = import_tfgnn()
    import tensorflow as tf

    files = [str(file) for file in ([files] if isinstance(files, str | pathlib.Path) else files)]
    missing = [file for file in [*files, str(schema)] if not pathlib.Path(file).is_file()]
    if missing:
        raise ValueError(f"There is no file {missing[0]}.")
    spec = tfgnn.create_graph_spec_from_schema_pb(tfgnn.read_schema(str(schema)))
    if label is not None and label not in spec.context_spec.features_spec:
        raise ValueError(
            f"`label` must be a context feature of the schema. Received: {label!r}. Its context "
            f"features: {', '.join(map(repr, spec.context_spec.features_spec)) or 'none'}"
        )

    def to_graph(examples):
        graph_tensor = tfgnn.parse_example(spec, examples).merge_batch_to_components()
        mask = None
        if budget is not None:
            graph_tensor, mask = tfgnn.pad_to_total_sizes(graph_tensor, budget)
        graph = graph_from_tensor(graph_tensor, feature, mask)
        if label is None:
            return graph
        labels = graph_tensor.context[label]
        return (graph, labels) if mask is None else (graph, labels, tf.cast(mask, "float32"))

    examples = tf.data.TFRecordDataset(files)
    return examples.batch(batch_size).map(to_graph, num_parallel_calls=tf.data.AUTOTUNE)
