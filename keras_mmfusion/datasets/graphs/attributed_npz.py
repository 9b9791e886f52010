"""Reads attributed social networks, such as BlogCatalog and Flickr, from an npz file."""

import os

import numpy as np

from keras_mmfusion.graphs.attributed_graph import AttributedGraph

_ARRAYS = (
    "edge_index",
    "feature_indices",
    "feature_indptr",
    "feature_values",
    "feature_shape",
    "label",
)


def read_attributed_npz(path):
    """Reads a graph with sparse attributes and labels, such as BlogCatalog or Flickr.

    The file has the arrays `edge_index` `(2, edges)`, each edge once; the attributes as a
    compressed sparse row matrix, `feature_indices` `(entries,)`, `feature_indptr` `(nodes + 1,)`,
    `feature_values` `(entries,)`, and `feature_shape` `(2,)`; and the `label` `(nodes,)`. Labels
    that start at 1 become classes from 0. The ids of the nodes are their indices.

    Args:
        path: string or path of the `.npz` file.

    Returns:
        `AttributedGraph`.

    Raises:
        OSError: if the file does not exist.
        ValueError: if the file is not an npz file without pickled objects, an array is missing or
            inconsistent with the others, an edge is repeated or a self-loop, or refers to an
            unknown node.

    Reference:
        Tang and Liu, "Relational Learning via Latent Social Dimensions", 2009; attributes: Huang et
        al., "Label Informed Attributed Network Embedding", 2017.
    """
    path = os.path.expanduser(os.fspath(path))
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in _ARRAYS if name not in file.files]
            arrays = {name: file[name] for name in _ARRAYS if name not in missing}
    except (ValueError, EOFError, AttributeError) as error:
        raise ValueError(f"{path!r} must be an npz file of arrays: {error}") from None
    if missing:
        raise ValueError(
            f"{path!r} must have the arrays {', '.join(_ARRAYS)}. Missing: {', '.join(missing)}"
        )
    nodes, attributes = _check_shapes(path, arrays)
    labels = arrays["label"]
    try:
        return AttributedGraph(
            node_ids=np.arange(nodes).astype("str"),
            edges=arrays["edge_index"],
            attribute_index=np.stack(
                [
                    np.repeat(np.arange(nodes), np.diff(arrays["feature_indptr"])),
                    arrays["feature_indices"],
                ]
            ),
            attribute_values=arrays["feature_values"],
            num_attributes=attributes,
            labels=(labels - labels.min()).astype("int32"),
        )
    except ValueError as error:
        raise ValueError(f"{path!r}: {error}") from None


def _check_shapes(path, arrays):
    """Returns the numbers of nodes and attributes."""
    if arrays["feature_shape"].shape != (2,):
        raise ValueError(
            f"{path!r}: `feature_shape` must have two numbers. Received: {arrays['feature_shape']}"
        )
    nodes, attributes = arrays["feature_shape"].tolist()
    starts, entries = arrays["feature_indptr"], arrays["feature_indices"]
    is_consistent = (
        starts.shape == (nodes + 1,)
        and entries.ndim == 1
        and starts[0] == 0
        and starts[-1] == len(entries)
        and not np.any(np.diff(starts) < 0)
        and arrays["label"].shape == (nodes,)
        and arrays["label"].dtype.kind in "iu"
    )
    if not is_consistent:
        shapes = {name: array.shape for name, array in arrays.items()}
        raise ValueError(
            f"{path!r}: the arrays are inconsistent with `feature_shape` ({nodes}, {attributes}). "
            f"Received shapes: {shapes}"
        )
    return nodes, attributes
