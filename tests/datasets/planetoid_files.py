"""Writes a small citation graph in the format of Planetoid, pickled byte by byte as by Python 2."""

import numpy as np

STATE = "(I3\nS'<'\nNNNI-1\nI-1\nI0\nt"


def pickle_array(array):
    return _array(array) + b"."


def _array(array):
    shape = "".join(f"I{size}\n" for size in array.shape)
    head = (
        "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n"
        f"({shape}tcnumpy\ndtype\n(S'{array.dtype.str[1:]}'\nI0\nI1\ntR{STATE}bI00\n"
    )
    return head.encode() + b"S" + repr(array.tobytes())[1:].encode() + b"\ntb"


def pickle_matrix(matrix):
    """Pickles a matrix as a `csr_matrix`."""
    rows, columns = np.nonzero(matrix)
    starts = np.searchsorted(rows, np.arange(len(matrix) + 1)).astype("int32")
    parts = {"data": matrix[rows, columns], "indices": columns.astype("int32"), "indptr": starts}
    return pickle_parts(matrix.shape, parts)


def pickle_parts(shape, parts):
    arrays = b"".join(f"S'{key}'\n".encode() + _array(x) + b"s" for key, x in parts.items())
    shape = f"S'_shape'\n(I{shape[0]}\nI{shape[1]}\nts"
    return b"\x80\x02cscipy.sparse.csr\ncsr_matrix\n)\x81(d" + shape.encode() + arrays + b"b."


def pickle_graph(neighbors):
    items = "".join(
        f"I{node}\n(l{''.join(f'I{other}' + chr(10) + 'a' for other in others)}s"
        for node, others in neighbors.items()
    )
    return f"ccollections\ndefaultdict\n(c__builtin__\nlist\ntR{items}.".encode()


def small_graph():
    """Returns ten nodes of three classes; node 8 is isolated and not among the test nodes."""
    rng = np.random.default_rng(0)
    features = rng.integers(0, 2, (10, 6)).astype("float32")
    features[:, 0] = 1
    labels = np.arange(10) % 3
    features[8], labels[8] = 0, -1
    neighbors = {node: [(node + 1) % 7] for node in range(7)}
    neighbors.update({7: [0, 0, 7], 8: [], 9: [2]})  # A repeated edge, and a self-loop.
    return features, labels, neighbors


def write_planetoid(folder, name="tiny"):
    """Writes the small graph, with three nodes each for training, validation and test."""
    features, labels, neighbors = small_graph()
    classes = np.where(labels[:, None] == np.arange(3), 1, 0).astype("int32")
    test_nodes = [9, 6, 7]
    files = {
        "x": pickle_matrix(features[:3]),
        "allx": pickle_matrix(features[:6]),
        "tx": pickle_matrix(features[test_nodes]),
        "y": pickle_array(classes[:3]),
        "ally": pickle_array(classes[:6]),
        "ty": pickle_array(classes[test_nodes]),
        "graph": pickle_graph(neighbors),
        "test.index": "".join(f"{node}\n" for node in test_nodes).encode(),
    }
    for part, content in files.items():
        (folder / f"ind.{name}.{part}").write_bytes(content)
    return folder
