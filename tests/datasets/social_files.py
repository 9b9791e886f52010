"""Small files in the layouts of published social networks."""

import json

import numpy as np

EDGES = np.array([[0, 1, 2, 3], [1, 2, 3, 0]])


def write_npz(path, **changes):
    """Writes four nodes with three attributes; `None` removes an array."""
    arrays = {
        "edge_index": EDGES,
        "feature_indices": np.array([0, 2, 1]),
        "feature_indptr": np.array([0, 2, 2, 3, 3]),
        "feature_values": np.array([1.0, 2.0, 3.0], "float32"),
        "feature_shape": np.array([4, 3]),
        "label": np.array([1, 2, 1, 2]),
    }
    arrays = {name: array for name, array in (arrays | changes).items() if array is not None}
    np.savez(path, **arrays)
    return path


def write_twitch(folder, **changes):
    """Writes three streamers; `changes` replaces the content of files by their stems."""
    contents = {
        "edges": "from,to\n0,2\n2,1\n",
        "features": json.dumps({"0": [5, 7, 7], "2": []}),
        "target": "id,mature,new_id\n77,True,2\n78,False,0\n79,True,1\n",
    } | changes
    for stem, content in contents.items():
        suffix = "json" if stem == "features" else "csv"
        (folder / f"{stem}.{suffix}").write_text(content)
    return folder


def write_friends(folder, edges=None, nodes=None):
    """Writes tables of friendships and of people, and returns their paths."""
    paths = folder / "edges.csv", folder / "people.csv"
    paths[0].write_text(edges or "source,target\nann,bob\nbob,eve\n")
    paths[1].write_text(nodes or "id,attributes\neve,go chess\nann,chess\nbob,\nkim,chess\n")
    return paths
