"""Reads the social networks of Twitch streamers of a country."""

import os
import pathlib

import numpy as np

from keras_mmfusion.datasets.graphs.edge_table import read_edge_rows
from keras_mmfusion.datasets.io.table_rows import Table
from keras_mmfusion.files.json_files import read_json
from keras_mmfusion.graphs.attributed_graph import AttributedGraph

# The graphs of all countries share these attributes: games, locations, and habits of streamers.
NUM_ATTRIBUTES = 3_170


def read_twitch(data_dir):
    """Reads the friendships of Twitch's streamers in one country, and who uses mature language.

    The folder contains `edges.csv` (`from`, `to`), `features.json` (node -> list of attributes),
    and `target.csv` (`new_id`, `mature`). Class 1 are streamers with mature content. All countries
    have the same 3,170 attributes, so a model of one country applies to another.

    Args:
        data_dir: string or path.

    Returns:
        `AttributedGraph`. The ids of the nodes are the numbers of the files, in ascending order.

    Raises:
        OSError: if a file does not exist.
        ValueError: if a file has another format, or refers to an unknown node.

    Reference:
        Rozemberczki et al., "Multi-Scale Attributed Node Embedding", 2021.
    """
    folder = pathlib.Path(os.path.expanduser(data_dir))
    table = Table(folder / "target.csv", ("new_id", "mature"))
    classes = {}
    for line, row in table.read_rows():
        node, mature = row["new_id"], row["mature"]
        if not node.isdecimal() or node in classes or mature not in ("True", "False"):
            raise ValueError(
                f"{table.name}, line {line}: must have a new `new_id` and `mature` True or False. "
                f"Received: {node!r}, {mature!r}"
            )
        classes[node] = mature == "True"
    if not classes:
        raise ValueError(f"{table.name} has no rows.")
    ids = np.array(sorted(classes, key=int))
    index = {each: node for node, each in enumerate(ids.tolist())}
    entries = _read_attributes(folder / "features.json", index)
    return AttributedGraph(
        node_ids=ids,
        edges=read_edge_rows(folder / "edges.csv", "from", "to", index),
        attribute_index=entries,
        attribute_values=np.ones(entries.shape[1]),
        num_attributes=NUM_ATTRIBUTES,
        labels=np.array([classes[each] for each in ids.tolist()], "int32"),
    )


def _read_attributes(path, index):
    """Returns the distinct pairs of node and attribute."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f"{str(path)!r} must be an object, node -> list of attributes.")
    pairs = set()
    for node, attributes in content.items():
        if node not in index:
            raise ValueError(f"{str(path)!r} has the unknown node {node!r}.")
        if not isinstance(attributes, list) or any(
            type(each) is not int or not 0 <= each < NUM_ATTRIBUTES for each in attributes
        ):
            raise ValueError(
                f"{str(path)!r}: node {node!r} must have a list of attributes from 0 to "
                f"{NUM_ATTRIBUTES - 1}. Received: {attributes!r:.80}"
            )
        pairs.update((index[node], each) for each in attributes)
    return np.array(sorted(pairs), "int32").reshape(-1, 2).T
