"""TF-GNN's GraphTensor, its files and its schema, to and from the dicts that graph layers take.

TF-GNN stands on legacy Keras. It stays at this door: what comes out is tensors, for models of
Keras 3 in the same process.
"""

import importlib.util
import pathlib

SCHEMA = "schema.pbtxt"
EXAMPLES = "examples.tfrecord"
HIDDEN_STATE = "hidden_state"  # TF-GNN's own name for the features of nodes.
WEIGHT = "weight"


def import_tfgnn():
    """The module `tensorflow_gnn`.

    Raises:
        ImportError: if it is not installed, or TensorFlow came without legacy Keras.
    """
    missing = [name for name in ("tensorflow_gnn", "tf_keras") if not _is_installed(name)]
    if missing:
        raise ImportError(
            f"GraphTensors need the package {missing[0]!r}, which is not installed. Run "
            '`pip install "keras-mmfusion[gnn]"`.'
        )
    import tensorflow as tf

    if not tf.keras.Model.__module__.startswith("tf_keras"):
        raise ImportError(
            "TF-GNN needs legacy Keras as `tf.keras`, and TensorFlow was imported with Keras 3 in "
            "its place. Set TF_USE_LEGACY_KERAS=1 in the environment before Python starts, as in "
            "`TF_USE_LEGACY_KERAS=1 python train.py`, or in `os.environ` before the first import "
            "of TensorFlow, Keras or this package's layers. Models of Keras 3 work beside it."
        )
    import tensorflow_gnn

    return tensorflow_gnn


def _is_installed(name):
    return importlib.util.find_spec(name) is not None


def graph_from_tensor(graph_tensor, feature=HIDDEN_STATE, component_mask=None):
    """A `tfgnn.GraphTensor` as the dict that graph layers take, in eager code or in `tf.data`.

    A batch is merged into one graph. A graph with one node set and one edge set becomes a dict as
    `GraphLayer` describes it, any other one as `HeteroGraphLayer` does, where a relation is
    `(source, edge set, target)`.

    Args:
        graph_tensor: `tfgnn.GraphTensor`, scalar or a batch.
        feature: string. The feature of every node set that becomes its `node_features`, floats
            `(nodes, dim)`.
        component_mask: bool tensor `(components,)`, what `tfgnn.pad_to_total_sizes` returns beside
            a padded graph: `False` for padding.

    Returns:
        A dict of `node_features`, `edge_index`, `edge_weight` where edges have a feature
        `"weight"`, and `graph_index`, which component a node is of; with a `component_mask` also
        `node_mask`, `edge_mask` and `graph_mask`. In a typed graph all but `graph_mask` are dicts.

    Raises:
        ValueError: if a node set lacks the feature, or has it in another form.
    """
    import_tfgnn()
    import tensorflow as tf

    if graph_tensor.rank:
        graph_tensor = graph_tensor.merge_batch_to_components()
    graph = {"node_features": {}, "edge_index": {}, "edge_weight": {}, "graph_index": {}}
    masks = {"node_mask": {}, "edge_mask": {}}
    for name, nodes in graph_tensor.node_sets.items():
        graph["node_features"][name] = _features_of(name, nodes, feature)
        graph["graph_index"][name] = index = _component_of_each(nodes)
        if component_mask is not None:
            masks["node_mask"][name] = tf.gather(component_mask, index)
    for name, edges in graph_tensor.edge_sets.items():
        adjacency = edges.adjacency
        relation = (adjacency.source_name, name, adjacency.target_name)
        graph["edge_index"][relation] = tf.stack([adjacency.source, adjacency.target])
        if WEIGHT in edges.features:
            graph["edge_weight"][relation] = tf.cast(edges[WEIGHT], "float32")
        if component_mask is not None:
            masks["edge_mask"][relation] = tf.gather(component_mask, _component_of_each(edges))
    if component_mask is not None:
        graph |= masks
    if len(graph["node_features"]) == len(graph["edge_index"]) == 1:
        graph = {key: next(iter(each.values())) for key, each in graph.items() if each}
    graph = {key: value for key, value in graph.items() if not isinstance(value, dict) or value}
    return graph if component_mask is None else {**graph, "graph_mask": component_mask}


def _features_of(name, nodes, feature):
    if feature not in nodes.features:
        raise ValueError(
            f"the node set {name!r} has no feature {feature!r}. It has: "
            f"{', '.join(map(repr, nodes.features)) or 'none'}"
        )
    x = nodes[feature]
    if not hasattr(x, "shape") or x.shape.rank != 2 or not x.dtype.is_floating:
        raise ValueError(
            f"the feature {feature!r} of the node set {name!r} must be floats (nodes, dim). "
            f"Received: {x.dtype.name}, shape {x.shape}"
        )
    return x


def _component_of_each(items):
    """Which component each node or edge is of, from the numbers of them in the components."""
    import tensorflow as tf

    return tf.repeat(tf.range(tf.shape(items.sizes)[0]), items.sizes)


def graph_to_tensor(graph, context=None):
    """The dict of a graph, plain or typed, as a scalar `tfgnn.GraphTensor`.

    Args:
        graph: dict of `node_features`, `edge_index` and optionally `edge_weight`, as arrays or as
            dicts of them; see `GraphLayer` and `HeteroGraphLayer`. The only node set of a
            homogeneous graph is named `"nodes"`, its edge set `"edges"`.
        context: dict, name -> array: features of the whole graph, such as its label.

    Returns:
        `tfgnn.GraphTensor` of one component.

    Raises:
        ValueError: if the graph has other entries, which would be lost.
    """
    tfgnn = import_tfgnn()
    unknown = sorted(set(graph) - {"node_features", "edge_index", "edge_weight"})
    if unknown:
        raise ValueError(
            "`graph` must have node_features, edge_index and edge_weight alone; others have no "
            f"place in a GraphTensor. Received: {', '.join(unknown)}"
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
        source_set, name, target_set = _relation(relation)
        edge_sets[name] = tfgnn.EdgeSet.from_fields(
            sizes=[len(source)],
            features={WEIGHT: weights[relation]} if relation in weights else {},
            adjacency=tfgnn.Adjacency.from_indices((source_set, source), (target_set, target)),
        )
    if len(edge_sets) != len(graph["edge_index"]):
        raise ValueError(
            "a GraphTensor knows an edge set by its name, so that relations need different names. "
            f"Received: {sorted(map(_relation, graph['edge_index']))}"
        )
    context = {name: [value] for name, value in (context or {}).items()}
    return tfgnn.GraphTensor.from_pieces(
        node_sets=node_sets,
        edge_sets=edge_sets,
        context=tfgnn.Context.from_fields(features=context),
    )


def _relation(key):
    return tuple(key.split("/")) if isinstance(key, str) else key


def write_graph_tensors(graph_tensors, folder):
    """Writes GraphTensors of one kind as tf.Examples, and their schema beside them.

    Args:
        graph_tensors: iterable of scalar `tfgnn.GraphTensor`.
        folder: string or path. Gets `examples.tfrecord` and `schema.pbtxt`.

    Returns:
        The paths of these two files.

    Raises:
        ValueError: if there is no graph.
    """
    tfgnn = import_tfgnn()
    import tensorflow as tf

    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{EXAMPLES}.part"
    first = None
    try:
        with tf.io.TFRecordWriter(str(part)) as writer:
            for graph_tensor in graph_tensors:
                if first is None:
                    first = graph_tensor
                writer.write(tfgnn.write_example(graph_tensor).SerializeToString())
        if first is None:
            raise ValueError("`graph_tensors` must have at least one. Received none.")
        schema = tfgnn.create_schema_pb_from_graph_spec(first)
        tfgnn.write_schema(schema, str(folder / SCHEMA))
        part.replace(folder / EXAMPLES)
        return folder / EXAMPLES, folder / SCHEMA
    finally:
        part.unlink(missing_ok=True)


def read_graph_tensors(files, schema, batch_size=1, budget=None, feature=HIDDEN_STATE, label=None):
    """TF-GNN's files as a `tf.data.Dataset` of graphs for `fit`, each batch merged into one.

    Args:
        files: string, path or list of them. TFRecords of tf.Examples.
        schema: string or path. A `GraphSchema` as a text protocol buffer.
        batch_size: int. Graphs of a batch.
        budget: `tfgnn.SizeConstraints`, of a batch, or `None`. Batches are padded to it, so that
            XLA compiles once; `tfgnn.find_tight_batch_size_constraints` finds one. A batch that is
            larger is an error.
        feature: see `graph_from_tensor`.
        label: string. The feature of the context that is the label of a graph, or `None`.

    Returns:
        `tf.data.Dataset` of dicts, see `graph_from_tensor`; with a `label` of `(graph, labels)`,
        and with a `budget` too of `(graph, labels, weights)`, where padding has the weight 0.

    Raises:
        ValueError: if there is no such file, or the schema has no such label.

    Example:

    ```python
    graphs = read_graph_tensors("graphs/examples.tfrecord", "graphs/schema.pbtxt", 32, label="y")
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
        raise ValueError(f"there is no file {missing[0]}.")
    spec = tfgnn.create_graph_spec_from_schema_pb(tfgnn.read_schema(str(schema)))
    if label is not None and label not in spec.context_spec.features_spec:
        raise ValueError(
            f"`label` must be a feature of the schema's context. Received: {label!r}. It has: "
            f"{', '.join(map(repr, spec.context_spec.features_spec)) or 'none'}"
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
