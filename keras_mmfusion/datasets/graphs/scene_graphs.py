"""Visual Genome's scene graphs: the objects of an image and their relationships."""

import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.datasets.io.annotations import clean_text, warn_skipped
from keras_mmfusion.datasets.io.string_lists import check_string_lists, check_strings
from keras_mmfusion.datasets.io.visual_genome_folder import VisualGenomeFolder
from keras_mmfusion.files.json_records import ID, LIST_OR_NULL, NUMBER, OBJECT, TEXT_OR_NULL

_BOX = ("x", "y", "w", "h")


@dataclasses.dataclass(frozen=True, repr=False)
class SceneGraph:
    """The objects of an image as nodes, and their relationships as edges.

    Args:
        image: string. The path of the image file, which need not exist.
        names: list of lists of strings. The names of each object, usually one.
        boxes: float32 array `(objects, 4)`. The left, top, right and bottom of each object,
            relative to the size of the image.
        predicates: list of strings, one for each relationship, such as `"on"`.
        edge_index: int32 array `(2, relationships)`. The subject and the object of each
            relationship.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import SceneGraph
    >>> from keras_mmfusion.layers.graph import GCNLayer, RGCNLayer
    >>> scene = SceneGraph(
    ...     image="1.jpg",
    ...     names=[["man"], ["bike", "bicycle"], []],
    ...     boxes=np.array([[0, 0, 0.5, 1], [0, 0.5, 0.5, 1], [0.5, 0, 1, 1]], "float32"),
    ...     predicates=["riding", "near"],
    ...     edge_index=np.array([[0, 0], [1, 2]], "int32"),
    ... )
    >>> GCNLayer(16)(scene.to_graph(["man", "bicycle"])).shape == (3, 16)
    True
    >>> graph = scene.to_hetero_graph(["man", "bicycle"], ["on", "riding"])
    >>> {relation: edges.tolist() for (_, relation, _), edges in graph["edge_index"].items()}
    {'on': [[], []], 'riding': [[0], [1]]}
    >>> RGCNLayer(16)(graph)["object"].shape == (3, 16)
    True
    """

    image: str
    names: list
    boxes: np.ndarray
    predicates: list
    edge_index: np.ndarray

    def __post_init__(self):
        check_string_lists("names", self.names)

    def __repr__(self):
        objects, relationships = len(self.names), len(self.predicates)
        return short_repr(self, image=self.image, objects=objects, relationships=relationships)

    def to_graph(self, names):
        """Converts to a homogeneous graph dict; see `GraphLayer`.

        Args:
            names: list of strings. The vocabulary of object names, such as the most frequent names
                of a training set.

        Returns:
            Dict of `"node_features"`, float32 `(objects, 4 + names)`, the box and the multi-hot
            encoded names of each object; and `"edge_index"`, int32 `(2, 2 * relationships)`, the
            edges from subjects to objects, followed by the reverse edges.
        """
        both = np.concatenate([self.edge_index, self.edge_index[::-1]], axis=1)
        return {"node_features": self._encode_objects(names), "edge_index": both}

    def to_hetero_graph(self, names, predicates):
        """Converts to a heterogeneous graph dict with a relation for each predicate.

        Args:
            names: see `to_graph`.
            predicates: list of strings. Other relationships are dropped.

        Returns:
            Dict of `"node_features"`, with the node type `"object"`; and `"edge_index"`, a dict,
            `("object", predicate, "object")` -> int32 `(2, edges)` from subjects to objects, with
            all `predicates`, so that graphs of different images have the same relations. See
            `HeteroGraphLayer`.
        """
        check_strings("predicates", predicates)
        own_predicates = np.array(self.predicates, "object")
        return {
            "node_features": {"object": self._encode_objects(names)},
            "edge_index": {
                ("object", predicate, "object"): self.edge_index[:, own_predicates == predicate]
                for predicate in predicates
            },
        }

    def _encode_objects(self, names):
        check_strings("names", names)
        columns = {name: column for column, name in enumerate(names)}
        multi_hot = np.zeros((len(self.names), len(names)), "float32")
        for node, own_names in enumerate(self.names):
            multi_hot[node, [columns[name] for name in own_names if name in columns]] = 1
        return np.concatenate([self.boxes, multi_hot], axis=1)


def read_scene_graphs(data_dir, split=None):
    """Reads the scene graphs of Visual Genome from its official files.

    Args:
        data_dir: string. A folder with `image_data.json`, `objects.json` and
            `relationships.json`. The images are not needed.
        split: `None` for all images, a name in `densecap_splits.json`, or an iterable of image
            ids; see `read_visual_genome_regions`.

    Returns:
        List of `SceneGraph`, in the order of `objects.json`, without images that have no objects.
        Names and predicates are in lower case, and boxes are clipped to the image. Relationships
        of merged objects are assigned to the object they were merged into, and repeated
        relationships are dropped. Relationships without a predicate or with unknown objects are
        dropped with a warning.

    Raises:
        ValueError: if files are missing, in which case the message says where to download them, or
            if a file is damaged.

    Reference:
        Krishna et al., "Visual Genome: Connecting Language and Vision Using Crowdsourced Dense
        Image Annotations", 2017.
    """
    genome = VisualGenomeFolder(data_dir, split)
    relationships = _read_relationships(genome)
    graphs, unused = [], []
    fields = {"object_id": ID, **dict.fromkeys(_BOX, NUMBER)}
    fields |= {"names": LIST_OR_NULL, "merged_object_ids": LIST_OR_NULL}
    file, entries = genome.read_annotations("objects.json", "objects", **fields)
    for image_id, records in entries:
        # Only the first record of an object is used.
        first = {}
        for each in records:
            first.setdefault(each["object_id"], each)
        objects = list(first.values())
        _check_lists(file, objects)
        if not objects:
            continue
        nodes = {}
        for index, each in enumerate(objects):
            nodes.update(dict.fromkeys(each.get("merged_object_ids") or [], index))
        nodes.update({each["object_id"]: index for index, each in enumerate(objects)})
        edges = {}
        for each in relationships.get(image_id, []):
            ends = [nodes.get(each[role]["object_id"]) for role in ("subject", "object")]
            predicate = clean_text(each.get("predicate") or "").lower()
            if None in ends or not predicate:
                unused.append(each.get("relationship_id"))
            else:
                edges[(*ends, predicate)] = None
        graphs.append(
            SceneGraph(
                image=genome.get_path(image_id),
                names=[_clean_names(each) for each in objects],
                boxes=genome.get_boxes(image_id, objects, _BOX),
                predicates=[predicate for *_, predicate in edges],
                edge_index=np.array([ends for *ends, _ in edges], "int32").reshape(-1, 2).T,
            )
        )
    warn_skipped("relationships without a predicate or an object, by id", unused)
    return graphs


def _read_relationships(genome):
    """Returns a dict, image id -> list of relationships."""
    fields = {"predicate": TEXT_OR_NULL, "subject": OBJECT, "object": OBJECT}
    file, entries = genome.read_annotations("relationships.json", "relationships", **fields)
    relationships = {}
    for image_id, records in entries:
        for role in ("subject", "object"):
            ends = [each[role] for each in records]
            file.check_records(
                ends, f"each {role} of a relationship of image {image_id}", object_id=ID
            )
        relationships.setdefault(image_id, []).extend(records)
    return relationships


def _check_lists(file, objects):
    """Checks the types of the entries in the lists of objects."""
    for each in objects:
        for key, types in (("names", str), ("merged_object_ids", ID[0])):
            if not all(isinstance(value, types) for value in each.get(key) or []):
                file.fail(f"an object has invalid {key!r}: {each!r:.200}")


def _clean_names(record):
    names = (clean_text(name).lower() for name in record.get("names") or [])
    return [name for name in dict.fromkeys(names) if name]
