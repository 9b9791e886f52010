"""Drawings of the edges of a graph that matter for a node."""

import math

import numpy as np

COLORS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")


def rank_edges(edge_index, values, count):
    """Lists the edges with the largest values that are not 0.

    Args:
        edge_index: dict, relation -> int array `(2, edges)`: `"source/relation/target"`, or a name
            without slashes for the edges of a homogeneous graph.
        values: dict, relation -> float array `(edges,)`.
        count: int.

    Returns:
        List of `(source, target, value)` by decreasing magnitude. In a heterogeneous graph, source
        and target are `(modality, node)`.

    Example:

    >>> rank_edges({"edges": np.array([[1, 2], [0, 1]])}, {"edges": np.array([0.5, -0.7])}, 2)
    [(2, 1, -0.7), (1, 0, 0.5)]
    """
    edges = []
    for relation, index in edge_index.items():
        each = np.asarray(values[relation])
        ends = relation.split("/")[::2] if "/" in relation else (None, None)
        for edge in np.argsort(-np.abs(each), kind="stable")[:count]:
            if each[edge] != 0:
                source, target = (
                    int(node) if modality is None else (modality, int(node))
                    for modality, node in zip(ends, index[:, edge], strict=True)
                )
                edges.append((source, target, float(each[edge])))
    return sorted(edges, key=lambda edge: -abs(edge[2]))[:count]


def list_centers(edge_index, node):
    """Lists the nodes at the center of a drawing: a node, or the nodes of an entity.

    Args:
        edge_index: dict, see `rank_edges`.
        node: int.
    """
    targets = [name.split("/")[2] for name in edge_index if "/" in name]
    return [(name, node) for name in dict.fromkeys(targets)] or [node]


def draw_subgraph(axes, edges, centers, get_color, strong="black", node_groups=None, names=None):
    """Draws edges around a node, whose other nodes are at a radius of their distance in hops.

    Wider lines have larger magnitudes, the larger one of the two directions. Edges that are not
    connected to the node are omitted.

    Args:
        axes: matplotlib's axes.
        edges: list of `(source, target, value)`, with magnitudes up to 1, from `rank_edges`.
        centers: list of nodes, from `list_centers`.
        get_color: function of a value that returns a color.
        strong: string, the color of the border of the node at the center.
        node_groups: sequence of strings, one per node, that determine the nodes' colors. In a
            heterogeneous graph, colors are modalities.
        names: dict, node -> label. Defaults to the nodes' indices.
    """
    names, values = names or {}, {}
    for source, target, value in edges:
        pair = tuple(sorted((source, target)))
        if source != target:
            values[pair] = max(value, values.get(pair, 0.0), key=abs)
    positions = _compute_positions(values, centers)
    for (one, other), value in sorted(values.items(), key=lambda each: abs(each[1])):
        if one in positions:
            x, y = zip(positions[one], positions[other], strict=True)
            axes.plot(x, y, color=get_color(value), linewidth=1 + 4 * abs(value), zorder=1)
    groups = {node: _get_group(node, node_groups) for node in positions}
    for number, group in enumerate(sorted(set(groups.values()))):
        members = [node for node in positions if groups[node] == group]
        axes.scatter(
            *zip(*(positions[node] for node in members), strict=True),
            s=[420 if node in centers else 190 for node in members],
            color=COLORS[number % len(COLORS)],
            edgecolor=[strong if node in centers else "white" for node in members],
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
            bbox={"color": axes.get_facecolor(), "alpha": 0.6, "pad": 0.5},
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
