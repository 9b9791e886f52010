"""Visual Genome's scene graphs: the objects of an image, and what relates them."""

import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.datasets.io.json_annotations import clean_text, warn_left_out
from keras_mmfusion.datasets.io.string_lists import check_string_lists, check_strings
from keras_mmfusion.datasets.questions.visual_genome import VisualGenomeFolder
from keras_mmfusion.files.json_records import ID, LIST_OR_NULL, NUMBER, OBJECT, TEXT_OR_NULL

_BOX = ("x", "y", "w", "h")


@dataclasses.dataclass(frozen=True, repr=False)
class SceneGraph:
    """The objects of an image as nodes, and their relationships as edges.

    Args:
        image: string. The path of the image file, which need not be there.
        names: list of lists of strings. The names of each object: one as a rule, or none, or
            several.
        boxes: float32 array `(objects, 4)`: left, top, right, bottom, as shares of the image.
        predicates: list of strings, one for each relationship, such as `"on"`.
        edge_index: int32 array `(2, relationships)`: the subject, and the object, of each.

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
    >>> GCNLayer(16)(scene.as_graph(["man", "bicycle"])).shape == (3, 16)
    True
    >>> graph = scene.as_typed_graph(["man", "bicycle"], ["on", "riding"])
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

    def as_graph(self, names):
        """The graph as a list of edges, which graph layers take; see `GraphLayer`.

        Args:
            names: list of strings, those to tell apart, such as the most frequent of a training
                set.

        Returns:
            Dict of `"node_features"`, float32 `(objects, 4 + names)`, an object's box and a 1 for
            each of its names; and `"edge_index"`, int32 `(2, 2 * relationships)`, from subjects
            to objects and then back.
        """
        both = np.concatenate([self.edge_index, self.edge_index[::-1]], axis=1)
        return {"node_features": self._features(names), "edge_index": both}

    def as_typed_graph(self, names, predicates):
        """The graph with a relation for each predicate; see `HeteroGraphLayer`.

        Args:
            names: as for `as_graph`.
            predicates: list of strings. Relationships of others are left out.

        Returns:
            Dict of `"node_features"`, with one node type, `"object"`; and `"edge_index"`, dict,
            `("object", predicate, "object")` -> int32 `(2, edges)` from subjects to objects, for
            each of `predicates`, so that graphs of different images have the same relations.
        """
        check_strings("predicates", predicates)
        said = np.array(self.predicates, "object")
        return {
            "node_features": {"object": self._features(names)},
            "edge_index": {
                ("object", predicate, "object"): self.edge_index[:, said == predicate]
                for predicate in predicates
            },
        }

    def _features(self, names):
        check_strings("names", names)
        place = {name: index for index, name in enumerate(names)}
        named = np.zeros((len(self.names), len(names)), "float32")
        for node, own in enumerate(self.names):
            named[node, [place[name] for name in own if name in place]] = 1
        return np.concatenate([self.boxes, named], axis=1)


def read_scene_graphs(data_dir, split=None):
    """Reads the scene graphs of Visual Genome, in the data set's own files.

    Args:
        data_dir: string. A folder with `image_data.json`, `objects.json` and
            `relationships.json`. The photos need not be there.
        split: `None` for all images, a name in `densecap_splits.json`, or an iterable of image
            ids; see `read_visual_genome_regions`.

    Returns:
        List of `SceneGraph`, in the order of `objects.json`, without images that have no object.
        Names and predicates are in lower case, boxes clipped to the image. A relationship of an
        object that was merged into another is that other's, and one that is there twice counts
        once. Relationships without a predicate or whose objects the image has not are left out,
        with a warning.

    Raises:
        ValueError: if files are missing, the error says which and where to get them; or if one is
            damaged.

    Reference:
        Krishna et al., "Visual Genome: Connecting Language and Vision Using Crowdsourced Dense
        Image Annotations", 2017.
    """
    genome = VisualGenomeFolder(data_dir, split)
    relationships = _read_relationships(genome)
    graphs, unused = [], []
    fields = {"object_id": ID, **dict.fromkeys(_BOX, NUMBER)}
    fields |= {"names": LIST_OR_NULL, "merged_object_ids": LIST_OR_NULL}
    file, entries = genome.annotations("objects.json", "objects", **fields)
    for image_id, found in entries:
        # The first record of an object stands for it.
        first = {}
        for each in found:
            first.setdefault(each["object_id"], each)
        objects = list(first.values())
        _check_lists(file, objects)
        if not objects:
            continue
        node = {}
        for index, each in enumerate(objects):
            node.update(dict.fromkeys(each.get("merged_object_ids") or [], index))
        node.update({each["object_id"]: index for index, each in enumerate(objects)})
        edges = {}
        for each in relationships.get(image_id, []):
            ends = [node.get(each[role]["object_id"]) for role in ("subject", "object")]
            predicate = clean_text(each.get("predicate") or "").lower()
            if None in ends or not predicate:
                unused.append(each.get("relationship_id"))
            else:
                edges[(*ends, predicate)] = None
        graphs.append(
            SceneGraph(
                image=genome.path(image_id),
                names=[_names(each) for each in objects],
                boxes=genome.boxes(image_id, objects, _BOX),
                predicates=[predicate for *_, predicate in edges],
                edge_index=np.array([ends for *ends, _ in edges], "int32").reshape(-1, 2).T,
            )
        )
    warn_left_out("relationships without a predicate or an object, by id", unused)
    return graphs


def _read_relationships(genome):
    """Dict of image id -> list of relationships."""
    fields = {"predicate": TEXT_OR_NULL, "subject": OBJECT, "object": OBJECT}
    file, entries = genome.annotations("relationships.json", "relationships", **fields)
    relationships = {}
    for image_id, found in entries:
        for role in ("subject", "object"):
            ends = [each[role] for each in found]
            file.check(ends, f"each {role} of a relationship of image {image_id}", object_id=ID)
        relationships.setdefault(image_id, []).extend(found)
    return relationships


def _check_lists(file, objects):
    """Checks what is in the lists that an object may have."""
    for each in objects:
        for key, types in (("names", str), ("merged_object_ids", ID[0])):
            if not all(isinstance(value, types) for value in each.get(key) or []):
                file.refuse(f"an object has other {key!r}: {each!r:.200}")


def _names(record):
    names = (clean_text(name).lower() for name in record.get("names") or [])
    return [name for name in dict.fromkeys(names) if name]
