"""The subgraph that a prediction for a node rests on, as a picture."""

import math
import pathlib

import numpy as np

from keras_mmfusion.explain.figure_files import figure_class, save_picture

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")


def plot_node_explanation(
    explanation, path=None, node_groups=None, names=None, feature_names=None, edges=15, features=10
):
    """Draws the edges and the features of the highest scores around a node.

    The node stands in the middle, and every other one on a ring as far out as it is away. A line
    is as thick and dark as the score of its edge, the higher one of two directions; an edge that
    does not hang together with the node is left out. Beside it are the scores of the features.

    Args:
        explanation: `NodeExplanation`.
        path: string or path of a picture to write; the ending tells the format, such as `.png`.
        node_groups: sequence of strings, one for each node, such as its class: its colour. Of a
            typed graph the colours are the modalities.
        names: dict, node -> string to write beside it, or `None` for its number. A node of a typed
            graph is `(modality, node)`.
        feature_names: sequence of strings; of a typed graph a dict of them by modality.
        edges, features: ints. How many are drawn at most.

    Returns:
        A `matplotlib.figure.Figure`; a notebook shows it at the end of a cell.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if the ending of `path` is no picture's.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.explain import NodeExplanation, plot_node_explanation
    >>> explanation = NodeExplanation(
    ...     node=0, predicted_class=1, probability=0.9, edge_index=np.array([[1, 2], [0, 1]]),
    ...     edge_scores=np.array([0.8, 0.3]), feature_scores=np.array([0.1, 0.7]), attention={})
    >>> figure = plot_node_explanation(explanation)
    >>> len(figure.axes[0].lines)  # an edge each
    2

    Reference:
        Ying et al., "GNNExplainer", 2019, figure 1.
    """
    for name, given in (("node_groups", node_groups), ("feature_names", feature_names)):
        if isinstance(given, str):
            raise ValueError(f"`{name}` must be a sequence of strings. Received: {given!r}")
    figure = figure_class()(figsize=(9, 5), layout="constrained")
    graph, bars = figure.subplots(1, 2, width_ratios=[2, 1])
    title = f"class {explanation.predicted_class}, probability {explanation.probability:.2f}"
    if isinstance(explanation.edge_index, dict):
        first = next(iter(explanation.edge_index)).split("/")[2]
        modalities = [name.split("/")[2] for name in explanation.edge_index]
        centres = [(name, explanation.node) for name in dict.fromkeys([first, *modalities])]
        figure.suptitle(f"Entity {explanation.node}: {title}")
    else:
        centres = [explanation.node]
        figure.suptitle(f"Node {explanation.node}: {title}")
    _draw_graph(graph, explanation.top_edges(edges), centres, node_groups, names or {})
    _draw_bars(bars, explanation.top_features(features), feature_names)
    if path is not None:
        save_picture(figure, pathlib.Path(path))
    return figure


def _draw_graph(axes, edges, centres, node_groups, names):
    scores = {}
    for source, target, score in edges:
        pair = tuple(sorted((source, target)))
        if source != target:
            scores[pair] = max(score, scores.get(pair, 0.0))
    places = _rings(scores, centres)
    for (one, other), score in sorted(scores.items(), key=lambda each: each[1]):
        if one in places:
            x, y = zip(places[one], places[other], strict=True)
            axes.plot(x, y, color=str(0.85 - 0.85 * score), linewidth=1 + 4 * score, zorder=1)
    groups = {node: _group(node, node_groups) for node in places}
    for number, group in enumerate(sorted(set(groups.values()))):
        inside = [node for node in places if groups[node] == group]
        axes.scatter(
            *zip(*(places[node] for node in inside), strict=True),
            s=[420 if node in centres else 190 for node in inside],
            color=COLOURS[number % len(COLOURS)],
            edgecolor=["black" if node in centres else "white" for node in inside],
            linewidth=2,
            label=group,
            zorder=2,
        )
    for node, place in places.items():
        text = str(node[1]) if isinstance(node, tuple) else str(node)
        axes.annotate(
            names.get(node, text),
            place,
            (0, 15 if node in centres else 11),
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


def _group(node, node_groups):
    if isinstance(node, tuple):
        return node[0]
    return "" if node_groups is None else str(node_groups[node])


def _rings(pairs, centres):
    """A place for each node that hangs together with the centres: its distance is the radius."""
    neighbors = {}
    for one, other in pairs:
        neighbors.setdefault(one, []).append(other)
        neighbors.setdefault(other, []).append(one)
    children, ring, seen = {}, list(centres), set(centres)
    while ring:
        following = []
        for node in ring:
            children[node] = [n for n in dict.fromkeys(neighbors.get(node, [])) if n not in seen]
            seen.update(children[node])
            following += children[node]
        ring = following
    radius = 0.0 if len(centres) == 1 else 0.4
    places, sectors = {}, []
    for number, node in enumerate(centres):
        width = 2 * math.pi / len(centres)
        sectors.append((node, number * width, width, radius))
    while sectors:
        node, start, width, radius = sectors.pop()
        angle = start + width / 2
        places[node] = (radius * math.cos(angle), radius * math.sin(angle))
        leaves = [_leaves(child, children) for child in children[node]]
        for child, count in zip(children[node], leaves, strict=True):
            share = width * count / sum(leaves)
            sectors.append((child, start, share, radius + 1.0))
            start += share
    return places


def _leaves(node, children):
    return sum(_leaves(child, children) for child in children[node]) or 1


def _draw_bars(axes, features, feature_names):
    def name(feature):
        if isinstance(feature, tuple):
            modality, number = feature
            return f"{modality} {feature_names[modality][number] if feature_names else number}"
        return str(feature_names[feature] if feature_names is not None else feature)

    rows = np.arange(len(features))
    axes.barh(rows, [score for _, score in features], color="0.4")
    axes.set_yticks(rows, [name(feature) for feature, _ in features])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_title("features", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
