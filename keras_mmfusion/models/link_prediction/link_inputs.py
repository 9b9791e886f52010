"""Conversion of an attributed graph to the inputs of a link predictor."""

from keras_mmfusion.graphs.attributed_graph import make_symmetric
from keras_mmfusion.models.node_classification import make_sparse_inputs


def make_link_inputs(graph, edges=None):
    """Computes the inputs of a `LinkPredictor` without the pairs to score.

    Args:
        graph: `AttributedGraph`.
        edges: int array `(2, edges)`, each edge once: the edges that messages use, such as the
            `train_edges` of a `LinkSplit`. Defaults to all edges.

    Returns:
        A dict of arrays, see `make_node_inputs`.
    """
    return make_sparse_inputs(
        graph.attribute_index,
        graph.attribute_values,
        make_symmetric(graph.edges if edges is None else edges),
        graph.num_nodes,
    )
