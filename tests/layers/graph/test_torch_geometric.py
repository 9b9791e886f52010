"""Comparison with the layers of PyTorch Geometric (PyG), given the same weights."""

import keras
import numpy as np
import pytest
from graph_references import DIM, NODES, random_graph, randomize
from layer_checks import to_numpy

from keras_mmfusion.layers.graph import (
    GATLayer,
    GCN2Layer,
    GCNLayer,
    GINLayer,
    GraphAttentionPooling,
    GraphMaxPooling,
    GraphMeanPooling,
    GraphSumPooling,
    HGTLayer,
    JumpingKnowledge,
    RGCNLayer,
    SAGELayer,
    SetTransformerPooling,
    TopKPooling,
)

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("torch_geometric", reason="PyTorch Geometric is not installed")
from torch_geometric import nn  # noqa: E402
from torch_geometric.nn import aggr  # noqa: E402

pytestmark = pytest.mark.peers
# PyG treats self-loops in the graph differently.
GRAPHS = [random_graph(seed, edges=30, loops=False) for seed in range(3)]
each_graph = pytest.mark.parametrize("graph", GRAPHS, ids=["0", "1", "2"])


def remove_weights(graph):
    return {key: graph[key] for key in ("node_features", "edge_index")}


def convert_to_tensors(graph):
    return torch.tensor(graph["node_features"]), torch.tensor(graph["edge_index"]).long()


def copy_weight(parameter, weight, transpose=False):
    """Copies a weight to a parameter of PyG, whose kernels are transposed."""
    value = to_numpy(weight)
    with torch.no_grad():
        parameter.copy_(torch.tensor(value.T if transpose else value).reshape(parameter.shape))


def copy_dense(linear, layer):
    copy_weight(linear.weight, layer.kernel, transpose=True)
    if layer.use_bias:
        copy_weight(linear.bias, layer.bias)


def assert_equal(actual, expected):
    np.testing.assert_allclose(to_numpy(actual), expected.detach().numpy(), atol=1e-5)


@each_graph
@pytest.mark.parametrize("improved", [False, True])
@pytest.mark.parametrize("units", [3, 8])
def test_gcn_layer_matches_pyg(graph, improved, units):
    layer = randomize(GCNLayer(units, improved=improved), graph)
    reference = nn.GCNConv(DIM, units, improved=improved)
    copy_dense(reference.lin, layer.projection)
    copy_weight(reference.bias, layer.bias)
    assert_equal(
        layer(graph), reference(*convert_to_tensors(graph), torch.tensor(graph["edge_weight"]))
    )


@each_graph
@pytest.mark.parametrize("beta", [0.0, 0.4])
def test_gcn2_layer_matches_pyg(graph, beta):
    first = np.random.default_rng(9).normal(size=(NODES, DIM)).astype("float32")
    layer = randomize(GCN2Layer(alpha=0.3, beta=beta), graph, first)
    reference = nn.GCN2Conv(DIM, alpha=0.3, shared_weights=True)
    reference.beta = beta
    if beta:
        copy_weight(reference.weight1, layer.projection.kernel)
    x, edges = convert_to_tensors(graph)
    expected = reference(x, torch.tensor(first), edges, torch.tensor(graph["edge_weight"]))
    assert_equal(layer(graph, first), expected)


@each_graph
@pytest.mark.parametrize("concatenate", [True, False])
def test_gat_layer_matches_pyg(graph, concatenate):
    graph = remove_weights(graph)
    layer = randomize(GATLayer(4, num_heads=3, concatenate=concatenate), graph)
    reference = nn.GATConv(DIM, 4, heads=3, concat=concatenate)
    copy_dense(reference.lin, layer.source_projection)
    copy_weight(reference.att_src, layer.source_score)
    copy_weight(reference.att_dst, layer.target_score)
    copy_weight(reference.bias, layer.bias)
    output, attention = layer(graph, return_attention_scores=True)
    expected, (_, scores) = reference(*convert_to_tensors(graph), return_attention_weights=True)
    assert_equal(output, expected)
    assert_equal(attention, scores)


@each_graph
def test_gat_v2_layer_matches_pyg(graph):
    graph = remove_weights(graph)
    layer = randomize(GATLayer(4, num_heads=3, version=2), graph)
    reference = nn.GATv2Conv(DIM, 4, heads=3)
    copy_weight(reference.lin_l.weight, layer.source_projection.kernel, transpose=True)
    copy_weight(reference.lin_r.weight, layer.target_projection.kernel, transpose=True)
    torch.nn.init.zeros_(reference.lin_l.bias)
    torch.nn.init.zeros_(reference.lin_r.bias)
    copy_weight(reference.att, layer.source_score)
    copy_weight(reference.bias, layer.bias)
    assert_equal(layer(graph), reference(*convert_to_tensors(graph)))


@each_graph
@pytest.mark.parametrize("aggregation", ["mean", "max"])
def test_sage_layer_matches_pyg(graph, aggregation):
    graph = remove_weights(graph)
    layer = randomize(SAGELayer(4, aggregation), graph)
    reference = nn.SAGEConv(DIM, 4, aggr=aggregation, project=aggregation == "max")
    if aggregation == "max":
        copy_dense(reference.lin, layer.pool_dense)
    copy_dense(reference.lin_l, layer.neighbor_dense)
    copy_weight(reference.lin_l.bias, layer.bias)
    copy_dense(reference.lin_r, layer.self_dense)
    assert_equal(layer(graph), reference(*convert_to_tensors(graph)))


@each_graph
def test_gin_layer_matches_pyg(graph):
    graph = remove_weights(graph)
    layer = randomize(GINLayer(4, hidden_dim=6), graph)
    mlp = torch.nn.Sequential(torch.nn.Linear(DIM, 6), torch.nn.ReLU(), torch.nn.Linear(6, 4))
    reference = nn.GINConv(mlp, train_eps=True)
    copy_dense(mlp[0], layer.hidden_dense)
    copy_dense(mlp[2], layer.output_dense)
    copy_weight(reference.eps, layer.epsilon)
    assert_equal(layer(graph), reference(*convert_to_tensors(graph)))


@pytest.mark.parametrize("num_bases", [None, 2])
def test_rgcn_layer_matches_pyg(num_bases):
    x = GRAPHS[0]["node_features"]
    relations = [("node", name, "node") for name in "abc"]
    edges = [graph["edge_index"] for graph in GRAPHS]
    graph = {
        "node_features": {"node": x},
        "edge_index": dict(zip(relations, edges, strict=True)),
    }
    layer = randomize(RGCNLayer(4, num_bases=num_bases), graph)
    reference = nn.RGCNConv(DIM, 4, num_relations=3, num_bases=num_bases)
    if num_bases is None:
        for i, kernel in enumerate(layer.kernels.values()):
            copy_weight(reference.weight.data[i], kernel)
    else:
        copy_weight(reference.weight, layer.bases)
        copy_weight(reference.comp, layer.shares)
    copy_weight(reference.root, layer.self_denses["node"].kernel)
    copy_weight(reference.bias, layer.self_denses["node"].bias)
    kinds = torch.arange(3).repeat_interleave(edges[0].shape[1])
    index = torch.tensor(np.concatenate(edges, axis=1)).long()
    assert_equal(layer(graph)["node"], reference(torch.tensor(x), index, kinds))


def test_hgt_layer_matches_pyg():
    rng = np.random.default_rng(0)
    dims = {"image": 5, "text": 4}
    relations = {
        ("image", "near", "image"): (6, 6),
        ("image", "shows", "text"): (6, 3),
        ("text", "of", "image"): (3, 6),
    }
    graph = {
        "node_features": {
            "image": rng.normal(size=(6, 5)).astype("float32"),
            "text": rng.normal(size=(3, 4)).astype("float32"),
        },
        "edge_index": {
            relation: np.stack([rng.integers(0, size, 12) for size in sizes])
            for relation, sizes in relations.items()
        },
    }
    layer = randomize(HGTLayer(4, num_heads=2), graph)
    reference = nn.HGTConv(dims, 4, (["image", "text"], list(relations)), heads=2)
    for name in dims:
        fused = reference.kqv_lin.lins[name]
        denses = layer.keys[name], layer.queries[name], layer.values[name]
        kernel = np.concatenate([to_numpy(dense.kernel) for dense in denses], axis=1)
        copy_weight(fused.weight, kernel, transpose=True)
        copy_weight(fused.bias, np.concatenate([to_numpy(dense.bias) for dense in denses]))
        copy_dense(reference.out_lin.lins[name], layer.output_denses[name])
        if name in layer.gates:
            copy_weight(reference.skip[name], layer.gates[name])
    for relation in relations:
        # Each head has a kernel for each relation.
        kinds = reference.edge_types_map[relation] + np.arange(2) * len(relations)
        key = "/".join(relation)
        copy_weight(reference.p_rel["__".join(relation)], layer.priors[key])
        for head, kind in enumerate(kinds):
            copy_weight(reference.k_rel.weight.data[kind], layer.attention_kernels[key][head])
            copy_weight(reference.v_rel.weight.data[kind], layer.message_kernels[key][head])
    features = {name: torch.tensor(x) for name, x in graph["node_features"].items()}
    edges = {key: torch.tensor(index).long() for key, index in graph["edge_index"].items()}
    expected = reference(features, edges)
    for name, x in layer(graph).items():
        assert_equal(x, expected[name])


INDEX = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
NODES_OF_GRAPHS = {
    "node_features": np.random.default_rng(1).normal(size=(10, DIM)).astype("float32"),
    "graph_index": INDEX,
}


@pytest.mark.parametrize(
    ("layer", "reference"),
    [
        (GraphSumPooling, nn.global_add_pool),
        (GraphMeanPooling, nn.global_mean_pool),
        (GraphMaxPooling, nn.global_max_pool),
    ],
)
def test_simple_poolings_match_pyg(layer, reference):
    expected = reference(torch.tensor(NODES_OF_GRAPHS["node_features"]), torch.tensor(INDEX))
    assert_equal(layer()(NODES_OF_GRAPHS), expected)


def test_attention_pooling_matches_pyg():
    layer = randomize(GraphAttentionPooling(), NODES_OF_GRAPHS)
    gate = torch.nn.Linear(DIM, 1)
    copy_dense(gate, layer.score_dense)
    reference = aggr.AttentionalAggregation(gate)
    expected = reference(torch.tensor(NODES_OF_GRAPHS["node_features"]), torch.tensor(INDEX))
    assert_equal(layer(NODES_OF_GRAPHS), expected)


def test_top_k_pooling_matches_pyg():
    graph = {**NODES_OF_GRAPHS, "edge_index": np.array([[0, 1], [1, 2]])}
    layer = randomize(TopKPooling(0.5), graph)
    reference = nn.TopKPooling(DIM, ratio=0.5)
    copy_weight(reference.select.weight, layer.projection)
    x, edges = convert_to_tensors(graph)
    features, _, _, _, kept, _ = reference(x, edges, batch=torch.tensor(INDEX))
    actual = layer(graph)
    expected = torch.zeros((10, DIM))
    expected[kept] = features
    assert_equal(actual["node_features"], expected)
    np.testing.assert_array_equal(
        np.flatnonzero(to_numpy(actual["node_mask"])), np.sort(kept.numpy())
    )


def copy_block(reference, layer):
    denses = layer.query_dense, layer.key_dense, layer.value_dense
    kernel = np.concatenate([to_numpy(dense.kernel) for dense in denses], axis=1)
    bias = np.concatenate([to_numpy(dense.bias) for dense in denses])
    copy_weight(reference.attn.in_proj_weight, kernel, transpose=True)
    copy_weight(reference.attn.in_proj_bias, bias)
    copy_dense(reference.attn.out_proj, layer.output_dense)
    copy_dense(reference.lin, layer.hidden_dense)
    for target, norm in (
        (reference.layer_norm1, layer.attention_norm),
        (reference.layer_norm2, layer.output_norm),
    ):
        target.eps = norm.epsilon
        copy_weight(target.weight, norm.gamma)
        copy_weight(target.bias, norm.beta)


def test_set_transformer_matches_pyg():
    from torch_geometric.nn.aggr import utils

    x = NODES_OF_GRAPHS["node_features"]
    layer = randomize(
        SetTransformerPooling(6, 3, num_inducing=2, num_heads=2), {"node_features": x}
    )
    induced = utils.InducedSetAttentionBlock(6, 2, heads=2)
    seeds = utils.PoolingByMultiheadAttention(6, 3, heads=2)
    output = utils.SetAttentionBlock(6, heads=2)
    copy_weight(induced.ind, layer.inducing_points)
    copy_block(induced.mab1, layer.inducing_block)
    copy_block(induced.mab2, layer.node_block)
    copy_dense(seeds.lin, layer.node_dense)
    copy_weight(seeds.seed, layer.seeds)
    copy_block(seeds.mab, layer.seed_block)
    copy_block(output.mab, layer.output_block)
    rows = torch.tensor(to_numpy(layer.input_dense(x)))[None]
    assert_equal(layer({"node_features": x}), output(seeds(induced(rows))).reshape(1, -1))


def test_jumping_knowledge_matches_pyg():
    rng = np.random.default_rng(0)
    layers = [rng.normal(size=(7, 4)).astype("float32") for _ in range(3)]
    layer = randomize(JumpingKnowledge("attention"), layers)
    reference = nn.JumpingKnowledge("lstm", channels=4, num_layers=3)
    for lstm, ending in (
        (layer.lstm.forward_layer, "l0"),
        (layer.lstm.backward_layer, "l0_reverse"),
    ):
        copy_weight(
            getattr(reference.lstm, f"weight_ih_{ending}"), lstm.cell.kernel, transpose=True
        )
        copy_weight(
            getattr(reference.lstm, f"weight_hh_{ending}"),
            lstm.cell.recurrent_kernel,
            transpose=True,
        )
        copy_weight(getattr(reference.lstm, f"bias_ih_{ending}"), lstm.cell.bias)
        torch.nn.init.zeros_(getattr(reference.lstm, f"bias_hh_{ending}"))
    copy_dense(reference.att, layer.score_dense)
    assert_equal(layer(layers), reference([torch.tensor(x) for x in layers]))
    for mode, name in (("concat", "cat"), ("max", "max")):
        expected = nn.JumpingKnowledge(name)([torch.tensor(x) for x in layers])
        assert_equal(JumpingKnowledge(mode)(layers), expected)


def test_training_losses_match_pyg():
    """Compares gradients by five steps of gradient descent through two layers."""
    graph = remove_weights(GRAPHS[0])
    labels = np.arange(NODES) % 3
    gat = randomize(GATLayer(4, num_heads=2), graph)
    hidden = {**graph, "node_features": gat(graph)}
    gcn = randomize(GCNLayer(3), hidden, seed=2)
    reference = nn.GATConv(DIM, 4, heads=2), nn.GCNConv(8, 3)
    copy_dense(reference[0].lin, gat.source_projection)
    copy_weight(reference[0].att_src, gat.source_score)
    copy_weight(reference[0].att_dst, gat.target_score)
    copy_dense(reference[1].lin, gcn.projection)
    copy_weight(reference[0].bias, gat.bias)
    copy_weight(reference[1].bias, gcn.bias)
    inputs = {
        "node_features": keras.Input((DIM,), name="node_features"),
        "edge_index": keras.Input(batch_shape=(2, None), dtype="int32", name="edge_index"),
    }
    model = keras.Model(inputs, gcn({**inputs, "node_features": gat(inputs)}))
    model.compile(
        keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    batches = ((graph, labels) for _ in range(6))
    losses = model.fit(batches, epochs=5, steps_per_epoch=1, shuffle=False, verbose=0)
    parameters = [parameter for module in reference for parameter in module.parameters()]
    optimizer = torch.optim.SGD(parameters, 0.1)
    x, edges = convert_to_tensors(graph)
    expected = []
    for _ in range(5):
        optimizer.zero_grad()
        logits = reference[1](reference[0](x, edges), edges)
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    np.testing.assert_allclose(losses.history["loss"], expected, atol=1e-5)
