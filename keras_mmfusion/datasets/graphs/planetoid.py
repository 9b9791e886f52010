"""Reads the citation graphs Cora, Citeseer and PubMed in the format of Planetoid."""

import os
import pathlib

import numpy as np

from keras_mmfusion.datasets.io.array_unpickler import read_array_pickle
from keras_mmfusion.files.text_files import read_list
from keras_mmfusion.graphs.labeled_graph import LabeledGraph

VALIDATION_NODES = 500


def read_planetoid(data_dir, name):
    """Reads a citation graph (documents, their words and citations) and its public split.

    The files are `ind.<name>.x`, `.tx`, `.allx` (features of the training nodes, the test nodes,
    and all nodes except the test nodes), `.y`, `.ty`, `.ally` (their classes), `.graph` and
    `.test.index`. They are pickles, which are read without executing code.

    The first `len(y)` nodes are the training nodes, and the next 500 the validation nodes. Isolated
    nodes that are not among the test nodes, 15 in Citeseer, have zero features and the label -1.
    Each edge is stored once in both directions; self-loops are removed.

    Args:
        data_dir: string or path. The folder of the files.
        name: string. The name of the data set, such as `"cora"`, `"citeseer"` or `"pubmed"`.

    Returns:
        `LabeledGraph`. Features are not normalized.

    Raises:
        ValueError: if a file is missing, is not a pickle of arrays, or is inconsistent with the
            others.

    Reference:
        Yang et al., "Revisiting Semi-Supervised Learning with Graph Embeddings", 2016.
    """
    folder = pathlib.Path(os.path.expanduser(data_dir))
    paths = {part: folder / f"ind.{name}.{part}" for part in (*_ARRAYS, "graph", "test.index")}
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        raise ValueError(
            f"`data_dir` must contain the files of {name!r}. Missing: {', '.join(missing)}. "
            f"Received: data_dir={str(data_dir)!r}"
        )
    arrays = {part: read_array_pickle(paths[part]) for part in _ARRAYS}
    neighbors = read_array_pickle(paths["graph"])
    test_nodes = _read_test_nodes(paths["test.index"])
    _check_files(name, arrays, neighbors, test_nodes)

    nodes = len(neighbors)
    features = np.zeros((nodes, arrays["allx"].shape[1]), "float32")
    labels = np.full(nodes, -1, "int32")
    other_nodes = np.arange(len(arrays["allx"]))
    for index, x, y in ((other_nodes, "allx", "ally"), (test_nodes, "tx", "ty")):
        features[index] = arrays[x]
        labels[index] = np.where(arrays[y].any(axis=1), arrays[y].argmax(axis=1), -1)
    train = len(arrays["y"])
    return LabeledGraph(
        node_features=features,
        edge_index=_build_edges(name, neighbors),
        labels=labels,
        train_nodes=np.arange(train),
        validation_nodes=np.arange(train, min(train + VALIDATION_NODES, len(other_nodes))),
        test_nodes=np.sort(test_nodes),
    )


_ARRAYS = ("x", "tx", "allx", "y", "ty", "ally")


def _read_test_nodes(path):
    try:
        return np.array([int(line) for line in read_list(path)], "int64")
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path} must have an index on each line: {error}") from error


def _check_files(name, arrays, neighbors, test_nodes):
    shapes = {part: getattr(array, "shape", ()) for part, array in arrays.items()}
    are_consistent = (
        all(len(shape) == 2 for shape in shapes.values())
        and all(
            shapes[x][0] == shapes[y][0] for x, y in (("x", "y"), ("tx", "ty"), ("allx", "ally"))
        )
        and len({shapes[x][1] for x in ("x", "tx", "allx")}) == 1
        and len({shapes[y][1] for y in ("y", "ty", "ally")}) == 1
        and 0 < shapes["x"][0] < shapes["allx"][0]
    )
    if not are_consistent:
        raise ValueError(f"The files of {name!r} are inconsistent. Received shapes: {shapes}")
    if not isinstance(neighbors, dict) or set(neighbors) != set(range(len(neighbors))):
        raise ValueError(f"ind.{name}.graph must be a dict with a key for each node.")
    first, last = shapes["allx"][0], len(neighbors) - 1
    are_distinct = len(np.unique(test_nodes)) == len(test_nodes) == shapes["tx"][0]
    if not are_distinct or np.any((test_nodes < first) | (test_nodes > last)):
        raise ValueError(
            f"ind.{name}.test.index must have {shapes['tx'][0]} different nodes from {first} to "
            f"{last}. Received {len(test_nodes)}, starting with: {test_nodes.tolist()[:5]}"
        )


def _build_edges(name, neighbors):
    """Returns the sorted, distinct edges in both directions, without self-loops."""
    nodes = len(neighbors)
    for others in neighbors.values():
        if not isinstance(others, list) or any(
            type(other) is not int or not 0 <= other < nodes for other in others
        ):
            raise ValueError(f"ind.{name}.graph must have lists of nodes from 0 to {nodes - 1}.")
    pairs = [(node, other) for node, others in neighbors.items() for other in others]
    pairs = np.array(pairs, "int32").reshape(-1, 2)
    pairs = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    return np.ascontiguousarray(pairs[pairs[:, 0] != pairs[:, 1]].T)
