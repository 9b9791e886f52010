"""Figures of the subgraph and the features that explain a prediction for a node."""

import math
import pathlib

import numpy as np

from keras_mmfusion.explain.figures.figure_files import get_figure_class, save_figure

COLORS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")


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
    if isinstance(explanation.edge_index, dict):
        first = next(iter(explanation.edge_index)).split("/")[2]
        modalities = [name.split("/")[2] for name in explanation.edge_index]
        centers = [(name, explanation.node) for name in dict.fromkeys([first, *modalities])]
        figure.suptitle(f"Entity {explanation.node}: {title}")
    else:
        centers = [explanation.node]
        figure.suptitle(f"Node {explanation.node}: {title}")
    _draw_graph(graph, explanation.list_top_edges(edges), centers, node_groups, names or {})
    _draw_bars(bars, explanation.list_top_features(features), feature_names)
    if path is not None:
        save_figure(figure, pathlib.Path(path))
    return figure


def _draw_graph(axes, edges, centers, node_groups, names):
    scores = {}
    for source, target, score in edges:
        pair = tuple(sorted((source, target)))
        if source != target:
            scores[pair] = max(score, scores.get(pair, 0.0))
    positions = _compute_positions(scores, centers)
    for (one, other), score in sorted(scores.items(), key=lambda each: each[1]):
        if one in positions:
            x, y = zip(positions[one], positions[other], strict=True)
            axes.plot(x, y, color=str(0.85 - 0.85 * score), linewidth=1 + 4 * score, zorder=1)
    groups = {node: _get_group(node, node_groups) for node in positions}
    for number, group in enumerate(sorted(set(groups.values()))):
        members = [node for node in positions if groups[node] == group]
        axes.scatter(
            *zip(*(positions[node] for node in members), strict=True),
            s=[420 if node in centers else 190 for node in members],
            color=COLORS[number % len(COLORS)],
            edgecolor=["black" if node in centers else "white" for node in members],
            linewidth=2,
            label=group,
            zorder=2,
        )
    for node, position in positions.items():
        text = str(node[1]) if isinstance(node, tuple) else str(node)
        axes.annotate(
            names.get(node, text),
            position,
            (0, 15 if node in centers else 11),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            bbox={"color": "white", "alpha": 0.6, "pad": 0.5},
        )
    if any(groups.values()):
        axes.legend(loc="lower left", fontsize=8, frameon=False, markerscale=0.6)
    axes.margins(0.12)
    axes.set_aspect("equal")
    axes.set_axis_off()


def _get_group(node, node_groups):
    if isinstance(node, tuple):
        return node[0]
    return "" if node_groups is None else str(node_groups[node])


def _compute_positions(pairs, centers):
    """Puts each node that is connected to the centers at a radius equal to its distance."""
    neighbors = {}
    for one, other in pairs:
        neighbors.setdefault(one, []).append(other)
        neighbors.setdefault(other, []).append(one)
    children, ring, seen = {}, list(centers), set(centers)
    while ring:
        next_ring = []
        for node in ring:
            children[node] = [n for n in dict.fromkeys(neighbors.get(node, [])) if n not in seen]
            seen.update(children[node])
            next_ring += children[node]
        ring = next_ring
    radius = 0.0 if len(centers) == 1 else 0.4
    positions, sectors = {}, []
    for number, node in enumerate(centers):
        width = 2 * math.pi / len(centers)
        sectors.append((node, number * width, width, radius))
    while sectors:
        node, start, width, radius = sectors.pop()
        angle = start + width / 2
        positions[node] = (radius * math.cos(angle), radius * math.sin(angle))
        leaves = [_count_leaves(child, children) for child in children[node]]
        for child, count in zip(children[node], leaves, strict=True):
            share = width * count / sum(leaves)
            sectors.append((child, start, share, radius + 1.0))
            start += share
    return positions


def _count_leaves(node, children):
    return sum(_count_leaves(child, children) for child in children[node]) or 1


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
