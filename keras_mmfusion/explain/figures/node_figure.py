"""Figures of the subgraph and the features that explain a prediction for a node."""

import pathlib

import numpy as np

from keras_mmfusion.explain.figures.figure_files import get_figure_class, save_figure
from keras_mmfusion.explain.figures.subgraph import draw_subgraph, list_centers


def plot_node_explanation(
    explanation, path=None, node_groups=None, names=None, feature_names=None, edges=15, features=10
):
    """Plots the edges and the features with the highest scores for a node.

    The node is at the center; the radius of every other node is its distance in hops. Thicker and
    darker lines have higher scores, the higher one of the two directions. Edges that are not
    connected to the node are omitted. A bar chart shows the scores of the features.

    Args:
        explanation: `NodeExplanation`.
        path: string or path of an image file to write. Its suffix, such as `.png`, selects the
            format.
        node_groups: sequence of strings, one per node, such as its class, that determine the
            nodes' colors. In a heterogeneous graph, colors are modalities.
        names: dict, node -> label. Defaults to the nodes' indices. A node of a heterogeneous graph
            is `(modality, node)`.
        feature_names: sequence of strings; for a heterogeneous graph, a dict of them by modality.
        edges, features: ints. Maximum numbers of edges and features to draw.

    Returns:
        A `matplotlib.figure.Figure`, which a notebook displays at the end of a cell.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if matplotlib does not support the suffix of `path`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.explain import NodeExplanation, plot_node_explanation
    >>> explanation = NodeExplanation(
    ...     node=0, predicted_class=1, probability=0.9, edge_index=np.array([[1, 2], [0, 1]]),
    ...     edge_scores=np.array([0.8, 0.3]), feature_scores=np.array([0.1, 0.7]), attention={})
    >>> figure = plot_node_explanation(explanation)
    >>> len(figure.axes[0].lines)  # one per edge
    2

    Reference:
        Ying et al., "GNNExplainer", 2019, figure 1.
    """
    for name, value in (("node_groups", node_groups), ("feature_names", feature_names)):
        if isinstance(value, str):
            raise ValueError(f"`{name}` must be a sequence of strings. Received: {value!r}")
    figure = get_figure_class()(figsize=(9, 5), layout="constrained")
    graph, bars = figure.subplots(1, 2, width_ratios=[2, 1])
    title = f"class {explanation.predicted_class}, probability {explanation.probability:.2f}"
    edge_index = explanation.edge_index
    is_hetero = isinstance(edge_index, dict)
    centers = list_centers(edge_index if is_hetero else {}, explanation.node)
    figure.suptitle(f"{'Entity' if is_hetero else 'Node'} {explanation.node}: {title}")
    draw_subgraph(
        graph,
        explanation.list_top_edges(edges),
        centers,
        lambda score: str(0.85 - 0.85 * score),
        node_groups=node_groups,
        names=names,
    )
    _draw_bars(bars, explanation.list_top_features(features), feature_names)
    if path is not None:
        save_figure(figure, pathlib.Path(path))
    return figure


def _draw_bars(axes, features, feature_names):
    def format_name(feature):
        if isinstance(feature, tuple):
            modality, number = feature
            return f"{modality} {feature_names[modality][number] if feature_names else number}"
        return str(feature_names[feature] if feature_names is not None else feature)

    rows = np.arange(len(features))
    axes.barh(rows, [score for _, score in features], color="0.4")
    axes.set_yticks(rows, [format_name(feature) for feature, _ in features])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_title("features", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
