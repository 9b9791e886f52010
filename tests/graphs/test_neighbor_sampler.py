import keras
import numpy as np
import pytest

from keras_mmfusion.datasets import NeighborSampler
from keras_mmfusion.layers.graph import GCNLayer, SAGELayer, apply_layerwise, normalize_graph

NODES, EDGES = 60, 400


def make_graph(seed=0):
    rng = np.random.default_rng(seed)
    return {
        "node_features": rng.normal(size=(NODES, 4)).astype("float32"),
        "edge_index": rng.integers(0, NODES, (2, EDGES)).astype("int32"),
        "edge_weight": rng.uniform(0.5, 2, EDGES).astype("float32"),
    }


def make_sampler(fanouts=(3, 2), batch_size=10, nodes=None, data=None, **settings):
    nodes = np.arange(0, NODES, 2) if nodes is None else nodes
    labels = np.arange(NODES) * 10
    return NeighborSampler(data or make_graph(), labels, nodes, fanouts, batch_size, **settings)


def get_real_nodes(inputs, labels):
    """Returns the node of the graph in each row, which the labels encode."""
    return labels[inputs["node_mask"]] // 10


def list_edges(inputs, labels):
    """Returns sources, targets (nodes of the graph) and weights of the edges without padding."""
    is_edge = inputs["edge_weight"] > 0
    nodes = labels // 10
    return (*nodes[inputs["edge_index"][:, is_edge]], inputs["edge_weight"][is_edge])


def test_epoch_visits_each_node_once_in_random_order():
    batches = make_sampler(batch_size=8)
    visited = []
    for _ in range(2):
        seeds = [(batch[1] // 10)[batch[2] == 1] for batch in (batches[i] for i in range(4))]
        assert [len(each) for each in seeds] == [8, 8, 8, 6]
        visited.append(np.concatenate(seeds))
        assert sorted(visited[-1]) == list(range(0, NODES, 2))
        batches.on_epoch_end()
    assert visited[0].tolist() != visited[1].tolist()


def test_sampled_edges_exist_and_respect_fanouts():
    data = make_graph()
    inputs, labels, weights = make_sampler(data=data)[0]
    known = {}
    for source, target in data["edge_index"].T:
        known.setdefault(target, []).append(source)
    sources, targets, edge_weights = list_edges(inputs, labels)
    nodes = get_real_nodes(inputs, labels)
    np.testing.assert_array_equal(
        inputs["node_features"][: len(nodes)], data["node_features"][nodes]
    )
    assert len(np.unique(nodes)) == len(nodes)
    for target in np.unique(targets):
        sampled = sources[targets == target].tolist()
        remaining = list(known[target])
        for source in sampled:
            remaining.remove(source)  # Fails if an edge was sampled twice or does not exist.
    numbers = np.bincount(targets, minlength=NODES)
    seeds = nodes[:10]
    degrees = np.bincount(data["edge_index"][1], minlength=NODES)
    np.testing.assert_array_equal(numbers[seeds], np.minimum(degrees[seeds], 3))
    first_hop = np.setdiff1d(sources[np.isin(targets, seeds)], seeds)
    np.testing.assert_array_equal(numbers[first_hop], np.minimum(degrees[first_hop], 2))


def test_sums_are_unbiased_estimates():
    data = make_graph()
    expected = np.zeros((NODES, 4))
    for (source, target), weight in zip(data["edge_index"].T, data["edge_weight"], strict=True):
        expected[target] += weight * data["node_features"][source]
    batches = make_sampler(fanouts=(3,), batch_size=NODES, nodes=np.arange(NODES), data=data)
    total, draws = np.zeros((NODES, 4)), 4000
    features = data["node_features"].astype("float64")
    for epoch in range(draws):
        batches.epoch = epoch
        inputs, labels, _ = batches[0]
        sources, targets, weights = list_edges(inputs, labels)
        np.add.at(total, targets, weights[:, None] * features[sources])
    # The standard error is 1/63 of the standard deviation of one sample, about 3.
    np.testing.assert_allclose(total / draws, expected, atol=0.3)


def test_large_fanout_samples_the_whole_neighborhood():
    data = normalize_graph(make_graph())
    data = {key: keras.ops.convert_to_numpy(value) for key, value in data.items()}
    inputs, labels, weights = make_sampler(fanouts=(50, 50), data=data)[1]
    first, second = GCNLayer(5, activation="relu"), GCNLayer(3)
    actual = second({**inputs, "node_features": first(inputs)})
    hidden = apply_layerwise(first, data)
    expected = apply_layerwise(second, {**data, "node_features": hidden})
    seeds = labels[weights == 1] // 10
    assert len(seeds) == 10
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(actual)[:10], expected[seeds], atol=1e-5, rtol=1e-5
    )


def test_batches_depend_only_on_seed_and_epoch():
    one, again, other = make_sampler(seed=1), make_sampler(seed=1), make_sampler(seed=2)
    one[0]  # Another order of access.
    for actual, expected in zip(
        keras.tree.flatten(one[2]), keras.tree.flatten(again[2]), strict=True
    ):
        np.testing.assert_array_equal(actual, expected)
    assert one[2][1].tolist() != other[2][1].tolist()
    shapes = [[x.shape for x in keras.tree.flatten(one[i])] for i in range(3)]
    assert shapes[0] == shapes[1] == shapes[2]


def test_padding_does_not_change_outputs():
    inputs, _, _ = make_sampler(fanouts=(1,), batch_size=10)[0]
    padding = ~inputs["node_mask"]
    assert padding.any()
    layer = SAGELayer(3)
    expected = keras.ops.convert_to_numpy(layer(inputs))
    inputs["node_features"][padding] = np.nan
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(inputs)), expected)


class Classifier(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.second = SAGELayer(16, activation="relu"), SAGELayer(2)

    def call(self, graph):
        return self.second({**graph, "node_features": self.first(graph)})


def test_model_fits_batches():
    keras.utils.set_random_seed(0)
    data = make_graph()
    labels = (data["node_features"][:, 0] > 0).astype("int32")
    batches = NeighborSampler(data, labels, np.arange(NODES), (3, 3), 20)
    model = Classifier()
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"
    )
    model.compile(keras.optimizers.Adam(0.02), loss, weighted_metrics=["accuracy"])
    history = model.fit(batches, epochs=20, shuffle=False, verbose=0).history
    assert history["accuracy"][-1] > 0.9
    assert batches.epoch >= 20


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="tf.data")
def test_as_dataset():
    batches, again = make_sampler(), make_sampler()
    dataset = batches.as_dataset()
    assert int(dataset.cardinality()) == 3
    actual = [keras.tree.map_structure(lambda x: x.numpy(), batch) for batch in dataset]
    np.testing.assert_array_equal(actual[2][0]["edge_index"], again[2][0]["edge_index"])
    assert batches.epoch == 1
    assert dataset.element_spec[0]["node_features"].shape == actual[0][0]["node_features"].shape


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nodes": np.array([1, 1])}, "must be unique"),
        ({"nodes": np.array([0, 60])}, r"`nodes` must be in \[0, 60\)"),
        ({"nodes": np.array([], "int32")}, "at least one"),
        ({"fanouts": ()}, "`fanouts` must be"),
        ({"fanouts": (3, 0)}, "`fanouts` must be"),
        (
            {"data": {**make_graph(), "edge_index": np.array([[0], [60]])}},
            "`edge_index` must be in",
        ),
        (
            {"data": {**make_graph(), "edge_index": np.zeros((3, 4), "int32")}},
            r"shape \(2, edges\)",
        ),
        (
            {"data": {**make_graph(), "edge_weight": np.ones(3)}},
            "`edge_weight` must have the shape",
        ),
        ({"data": {**make_graph(), "node_features": np.ones((5, 4))}}, "must be in|label for each"),
    ],
)
def test_invalid_arguments_raise(settings, message):
    with pytest.raises(ValueError, match=message):
        make_sampler(**settings)


def make_masked_graph():
    """A graph whose masked edges have invalid indices and whose masked nodes have NaN features."""
    data = make_graph(seed=3)
    rng = np.random.default_rng(4)
    data["edge_mask"] = rng.random(EDGES) < 0.7
    data["node_mask"] = rng.random(NODES) < 0.8
    data["edge_index"][:, ~data["edge_mask"]] = -7
    data["edge_weight"][~data["edge_mask"]] = np.nan
    data["node_features"][~data["node_mask"]] = np.nan
    return data


@pytest.mark.parametrize("dtype", ["bool", "int32", "float64"])
def test_masked_edges_and_nodes_are_not_sampled(dtype):
    data = make_masked_graph()
    keep = data["edge_mask"] & data["node_mask"][data["edge_index"]].all(axis=0)
    adjacency = np.zeros((NODES, NODES))
    np.add.at(adjacency, tuple(data["edge_index"][::-1, keep]), data["edge_weight"][keep])
    sums = adjacency @ np.where(data["node_mask"][:, None], data["node_features"], 0.0)
    data |= {name: 2 * data[name].astype(dtype) for name in ("edge_mask", "node_mask")}
    inputs, labels, weights = make_sampler((EDGES,), NODES, np.arange(NODES), data, shuffle=False)[
        0
    ]
    np.testing.assert_array_equal(inputs["node_mask"], make_masked_graph()["node_mask"])
    np.testing.assert_array_equal(weights, inputs["node_mask"])
    sources, targets, edge_weights = list_edges(inputs, labels)
    actual = np.zeros((NODES, 4))
    np.add.at(actual, targets, edge_weights[:, None] * data["node_features"][sources])
    np.testing.assert_allclose(actual, sums, rtol=1e-5, atol=1e-5)


def test_weights_account_for_masked_edges():
    data = make_masked_graph()
    kept = data["edge_mask"] & data["node_mask"][data["edge_index"]].all(axis=0)
    degrees = np.bincount(data["edge_index"][1, kept], minlength=NODES)
    data["edge_weight"][:] = 1
    inputs, labels, _ = make_sampler((2,), NODES, np.arange(NODES), data)[0]
    _, targets, edge_weights = list_edges(inputs, labels)
    np.testing.assert_allclose(np.bincount(targets, edge_weights, NODES), degrees)


def test_graph_with_unknown_keys_raises():
    data = {**make_graph(), "target_features": np.zeros((3, 4))}
    with pytest.raises(ValueError, match="`graph` must have .* Received: .*'target_features'"):
        make_sampler(data=data)
