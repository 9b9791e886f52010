import numpy as np
import pytest
from visual_genome_files import image_data, relationship, thing, write

from keras_mmfusion.datasets import SceneGraph, read_scene_graphs

SHADE = thing(5045, ["shade"], box=(0, 0, 40, 40))
STREET = thing(5046, ["Street ", "road", "street"], box=(40, 20, 400, 400), merged=[5050, 5051])
NAMELESS = thing(5047, [], box=(-30, -30, 10, 10))
IMAGES = [image_data(1), image_data(2)]
OBJECTS = [
    {
        "image_id": 1,
        "objects": [SHADE, STREET, NAMELESS, {**SHADE, "names": ["again"]}],
        "image_url": IMAGES[0]["url"],
    },
    {"image_id": 2, "objects": [], "image_url": IMAGES[1]["url"]},
]
RELATIONSHIPS = [
    {
        "relationships": [
            relationship(15927, SHADE, "ON", STREET),
            relationship(15928, NAMELESS, " next\tto", {**STREET, "object_id": 5051}),
        ],
        "image_id": 1,
    },
    {"relationships": [], "image_id": 2},
]


def test_reads_objects_and_relationships(tmp_path):
    write(tmp_path, image_data=IMAGES, objects=OBJECTS, relationships=RELATIONSHIPS)
    (graph,) = read_scene_graphs(tmp_path)
    assert graph.image.endswith("1.jpg")
    assert graph.names == [["shade"], ["street", "road"], []]
    assert graph.predicates == ["on", "next to"]
    assert graph.edge_index.tolist() == [[0, 2], [1, 1]]
    assert graph.edge_index.dtype == "int32"
    assert graph.boxes.tolist() == [[0, 0, 0.5, 1], [0.5, 0.5, 1, 1], [0, 0, 0, 0]]


def test_invalid_relationships_are_dropped(tmp_path):
    invalid = [
        {
            "relationships": [
                *RELATIONSHIPS[0]["relationships"],
                RELATIONSHIPS[0]["relationships"][0],
                relationship(1, SHADE, "of", thing(999, ["ghost"])),
                relationship(2, SHADE, "", STREET),
            ],
            "image_id": 1,
        }
    ]
    write(tmp_path, image_data=IMAGES, objects=OBJECTS, relationships=invalid)
    with pytest.warns(UserWarning, match="Skipped 2 relationships .*, by id: 1, 2"):
        (graph,) = read_scene_graphs(tmp_path)
    assert graph.predicates == ["on", "next to"]
    # The image has no relationships.
    write(tmp_path, relationships=[])
    (graph,) = read_scene_graphs(tmp_path)
    assert graph.edge_index.shape == (2, 0)


def test_conversion_to_graph_dicts(tmp_path):
    write(tmp_path, image_data=IMAGES, objects=OBJECTS, relationships=RELATIONSHIPS)
    (scene,) = read_scene_graphs(tmp_path)
    graph = scene.to_graph(["road", "shade", "street"])
    assert graph["edge_index"].tolist() == [[0, 2, 1, 1], [1, 1, 0, 2]]
    np.testing.assert_array_equal(graph["node_features"][:, :4], scene.boxes)
    assert graph["node_features"][:, 4:].tolist() == [[0, 1, 0], [1, 0, 1], [0, 0, 0]]
    assert graph["node_features"].dtype == "float32"
    hetero = scene.to_hetero_graph(["shade"], ["on", "riding"])
    assert hetero["edge_index"]["object", "on", "object"].tolist() == [[0], [1]]
    assert hetero["edge_index"]["object", "riding", "object"].shape == (2, 0)
    assert hetero["node_features"]["object"].shape == (3, 5)


def test_missing_file_is_named(tmp_path):
    write(tmp_path, image_data=IMAGES, objects=OBJECTS)
    with pytest.raises(ValueError, match="must contain relationships.json"):
        read_scene_graphs(tmp_path)


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("objects", {"object_id": None}, "must have an integer or a string as its 'object_id'"),
        ("objects", {"w": "wide"}, "must have a number as its 'w', not 'wide'"),
        ("objects", {"names": "shade"}, "must have a list or null as its 'names', not 'shade'"),
        ("objects", {"names": [None]}, "an object has invalid 'names'"),
        (
            "objects",
            {"merged_object_ids": 3},
            "must have a list or null as its 'merged_object_ids'",
        ),
        ("relationships", {"subject": 5045}, "must have an object as its 'subject', not 5045"),
        ("relationships", {"object": {}}, "each object of a relationship of image 1 has no 'obj"),
        ("relationships", {"predicate": 3}, "must have a string or null as its 'predicate'"),
    ],
)
def test_damaged_files_are_rejected(tmp_path, name, changed, message):
    content = {"objects": OBJECTS, "relationships": RELATIONSHIPS}[name][0]
    damaged = [{**content, name: [{**content[name][0], **changed}]}]
    files = {"objects": OBJECTS, "relationships": RELATIONSHIPS} | {name: damaged}
    write(tmp_path, image_data=IMAGES, **files)
    with pytest.raises(ValueError, match=f"{name}.json' must be Visual Genome's .*{message}"):
        read_scene_graphs(tmp_path)


def test_repr_and_strings_instead_of_lists(tmp_path):
    write(tmp_path, image_data=IMAGES, objects=OBJECTS, relationships=RELATIONSHIPS)
    (graph,) = read_scene_graphs(tmp_path)
    assert repr(graph) == f"SceneGraph(image={graph.image!r}, objects=3, relationships=2)"
    with pytest.raises(ValueError, match="`names` must be a list of strings. Received: 'shade'"):
        graph.to_graph("shade")
    with pytest.raises(ValueError, match="`predicates` must be a list of strings. Received: 'on'"):
        graph.to_hetero_graph(["shade"], "on")
    with pytest.raises(ValueError, match=r"`names\[0\]` must be a list of strings"):
        SceneGraph("1.jpg", ["man"], graph.boxes[:1], [], graph.edge_index[:, :0])
