"""Splits of the edges of a graph for link prediction, with negatives to rank against."""

import dataclasses

import numpy as np

from keras_mmfusion._checks import check_integer, check_proportion
from keras_mmfusion.graphs.attributed_graph import make_symmetric, number_pairs
from keras_mmfusion.graphs.sorted_edges import SortedEdges

_MAX_DRAWS = 100
_MAX_WALKS = 20


@dataclasses.dataclass(frozen=True, eq=False)
class HeldOutLinks:
    """Links to predict, each with targets to rank its own target against.

    Args:
        links: int32 array `(2, links)`, sources and targets.
        random_targets: int32 array `(links, negatives)`. Random nodes that are not linked to the
            source.
        hard_targets: int32 array `(links, negatives)`. Neighbors of neighbors of the source that
            are not linked to it.
    """

    links: np.ndarray
    random_targets: np.ndarray
    hard_targets: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class LinkSplit:
    """Training edges, and links for validation and test.

    Args:
        train_edges: int32 array `(2, edges)`, each edge once. Messages may only use these edges.
        validation: `HeldOutLinks`.
        test: `HeldOutLinks`.
    """

    train_edges: np.ndarray
    validation: HeldOutLinks
    test: HeldOutLinks


def split_links(graph, validation=0.05, test=0.1, negatives=50, seed=0):
    """Splits the edges of a graph for link prediction.

    An undirected edge is in one part only, so that no held-out link is among the training edges in
    the opposite direction. No negative is an edge of any part. A hard negative ends a random walk
    of two steps along training edges, so that it is similar to a link in its degree and its
    neighborhood; a source without such nodes gets random ones.

    Args:
        graph: `AttributedGraph`.
        validation, test: floats. Shares of the edges.
        negatives: int. Number of random targets and of hard targets of each held-out link.
        seed: int.

    Returns:
        `LinkSplit`.

    Raises:
        ValueError: if a share is out of range, a part would be empty, or a node is linked to all
            others, so that it has no negatives.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import AttributedGraph, split_links
    >>> ring = np.arange(20)
    >>> graph = AttributedGraph(
    ...     ring.astype(str), np.stack([ring, (ring + 1) % 20]), np.stack([ring, ring]),
    ...     np.ones(20), 20)
    >>> split = split_links(graph, negatives=3)
    >>> split.train_edges.shape, split.test.links.shape, split.test.hard_targets.shape
    ((2, 17), (2, 2), (2, 3))

    Reference:
        Negatives for each link, chosen by its neighborhood: Li et al., "Evaluating Graph Neural
        Networks for Link Prediction: Current Pitfalls and New Benchmarking", 2023.
    """
    for name, share in (("validation", validation), ("test", test)):
        check_proportion("split_links", name, share)
    check_integer("split_links", "negatives", negatives)
    total = graph.edges.shape[1]
    sizes = [round(validation * total), round(test * total)]
    if min(sizes) < 1 or sum(sizes) >= total:
        raise ValueError(
            "`validation` and `test` must leave at least one edge to each part and to training. "
            f"Received: validation={validation}, test={test} of {total} edges"
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(total)
    held_out, train = order[: sum(sizes)], order[sum(sizes) :]
    train_edges = graph.edges[:, np.sort(train)]
    sampler = NegativeSampler(graph.edges, train_edges, graph.num_nodes, graph.node_ids)
    parts = []
    for rows in np.split(held_out, sizes[:1]):
        links = graph.edges[:, rows]
        swapped = rng.random(len(rows)) < 0.5  # Either end may be the source.
        links = np.where(swapped, links[::-1], links)
        sources = np.repeat(links[0], negatives)
        parts.append(
            HeldOutLinks(
                links,
                sampler.sample_random(sources, rng).reshape(-1, negatives),
                sampler.sample_hard(sources, rng).reshape(-1, negatives),
            )
        )
    return LinkSplit(train_edges, *parts)


class NegativeSampler:
    """Samples nodes that are not linked to a source.

    Args:
        edges: int array `(2, edges)`. The edges that are not negatives.
        walk_edges: int array `(2, edges)`. The edges of the walks to hard negatives.
        num_nodes: int.
        node_ids: string array `(nodes,)`, for error messages.
    """

    def __init__(self, edges, walk_edges, num_nodes, node_ids):
        self.num_nodes = num_nodes
        self.node_ids = node_ids
        self.numbers = np.sort(number_pairs(edges, num_nodes))
        self.walks = SortedEdges(make_symmetric(walk_edges), num_nodes)

    def sample_random(self, sources, rng):
        """Samples a node for each source, uniformly among those that are not linked to it."""
        targets = rng.integers(self.num_nodes, size=len(sources))
        for _ in range(_MAX_DRAWS):
            redraw = self._find_links(sources, targets)
            if not len(redraw):
                return targets.astype("int32")
            targets[redraw] = rng.integers(self.num_nodes, size=len(redraw))
        return self._choose_others(sources, targets, redraw, rng)

    def sample_hard(self, sources, rng):
        """Samples a node at the end of two random steps for each source; see `split_links`."""
        targets = np.asarray(sources).astype("int64")
        redraw = np.arange(len(sources))
        for _ in range(_MAX_WALKS):
            targets[redraw] = self._step(self._step(sources[redraw], rng), rng)
            redraw = redraw[self._find_links(sources[redraw], targets[redraw])]
            if not len(redraw):
                break
        targets[redraw] = self.sample_random(sources[redraw], rng)
        return targets.astype("int32")

    def _step(self, nodes, rng):
        """Returns a random neighbor of each node; a node without neighbors stays."""
        starts = self.walks.starts[nodes]
        degrees = self.walks.starts[nodes + 1] - starts
        if not len(self.walks):
            return nodes
        steps = starts + np.floor(rng.random(len(nodes)) * degrees).astype("int64")
        steps = np.minimum(steps, len(self.walks) - 1)
        return np.where(degrees > 0, self.walks.edge_index[0, steps], nodes)

    def _find_links(self, sources, targets):
        """Returns the rows whose nodes are linked or equal."""
        numbers = number_pairs(np.stack([sources, targets]), self.num_nodes)
        index = np.searchsorted(self.numbers, numbers)
        index = np.minimum(index, len(self.numbers) - 1)
        return np.flatnonzero((self.numbers[index] == numbers) | (sources == targets))

    def _choose_others(self, sources, targets, rows, rng):
        """Replaces the targets of rows by listing all nodes that are not linked."""
        everyone = np.arange(self.num_nodes)
        for row in rows:
            source = np.full(self.num_nodes, sources[row])
            others = np.delete(everyone, self._find_links(source, everyone))
            if not len(others):
                raise ValueError(
                    f"`graph` must have a node that is not linked to "
                    f"{self.node_ids[sources[row]].item()!r}, which is linked to all nodes. Remove "
                    "this node."
                )
            targets[row] = rng.choice(others)
        return targets.astype("int32")
