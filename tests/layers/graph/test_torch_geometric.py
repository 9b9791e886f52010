"""The layers against PyTorch Geometric's, on random graphs with its weights in ours."""

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
# Its layers differ in what they make of loops that a graph has.
GRAPHS = [random_graph(seed, edges=30, loops=False) for seed in range(3)]
each_graph = pytest.mark.parametrize("graph", GRAPHS, ids=["0", "1", "2"])


def unweighted(graph):
    return {key: graph[key] for key in ("node_features", "edge_index")}


def tensors(graph):
    return torch.tensor(graph["node_features"]), torch.tensor(graph["edge_index"]).long()


def give(parameter, weight, transpose=False):
    """Copies a weight of ours to one of theirs, whose kernels are transposed."""
    value = to_numpy(weight)
    with torch.no_grad():
        parameter.copy_(torch.tensor(value.T if transpose else value).reshape(parameter.shape))


def give_dense(linear, layer):
    give(linear.weight, layer.kernel, transpose=True)
    if layer.use_bias:
        give(linear.bias, layer.bias)


def assert_equal(found, expected):
    np.testing.assert_allclose(to_numpy(found), expected.detach().numpy(), atol=1e-5)


@each_graph
@pytest.mark.parametrize("improved", [False, True])
@pytest.mark.parametrize("units", [3, 8])
def test_gcn(graph, improved, units):
    ours = randomize(GCNLayer(units, improved=improved), graph)
    theirs = nn.GCNConv(DIM, units, improved=improved)
    give_dense(theirs.lin, ours.projection)
    give(theirs.bias, ours.bias)
    assert_equal(ours(graph), theirs(*tensors(graph), torch.tensor(graph["edge_weight"])))


@each_graph
@pytest.mark.parametrize("beta", [0.0, 0.4])
def test_gcn2(graph, beta):
    first = np.random.default_rng(9).normal(size=(NODES, DIM)).astype("float32")
    ours = randomize(GCN2Layer(alpha=0.3, beta=beta), graph, first)
    theirs = nn.GCN2Conv(DIM, alpha=0.3, shared_weights=True)
    theirs.beta = beta
    if beta:
        give(theirs.weight1, ours.projection.kernel)
    x, edges = tensors(graph)
    expected = theirs(x, torch.tensor(first), edges, torch.tensor(graph["edge_weight"]))
    assert_equal(ours(graph, first), expected)


@each_graph
@pytest.mark.parametrize("concatenate", [True, False])
def test_gat(graph, concatenate):
    graph = unweighted(graph)
    ours = randomize(GATLayer(4, num_heads=3, concatenate=concatenate), graph)
    theirs = nn.GATConv(DIM, 4, heads=3, concat=concatenate)
    give_dense(theirs.lin, ours.source_projection)
    give(theirs.att_src, ours.source_score)
    give(theirs.att_dst, ours.target_score)
    give(theirs.bias, ours.bias)
    output, attention = ours(graph, return_attention_scores=True)
    expected, (_, scores) = theirs(*tensors(graph), return_attention_weights=True)
    assert_equal(output, expected)
    assert_equal(attention, scores)


@each_graph
def test_gat_v2(graph):
    graph = unweighted(graph)
    ours = randomize(GATLayer(4, num_heads=3, version=2), graph)
    theirs = nn.GATv2Conv(DIM, 4, heads=3)
    give(theirs.lin_l.weight, ours.source_projection.kernel, transpose=True)
    give(theirs.lin_r.weight, ours.target_projection.kernel, transpose=True)
    torch.nn.init.zeros_(theirs.lin_l.bias)
    torch.nn.init.zeros_(theirs.lin_r.bias)
    give(theirs.att, ours.source_score)
    give(theirs.bias, ours.bias)
    assert_equal(ours(graph), theirs(*tensors(graph)))


@each_graph
@pytest.mark.parametrize("aggregation", ["mean", "max"])
def test_sage(graph, aggregation):
    graph = unweighted(graph)
    ours = randomize(SAGELayer(4, aggregation), graph)
    theirs = nn.SAGEConv(DIM, 4, aggr=aggregation, project=aggregation == "max")
    if aggregation == "max":
        give_dense(theirs.lin, ours.pool_dense)
    give_dense(theirs.lin_l, ours.neighbor_dense)
    give(theirs.lin_l.bias, ours.bias)
    give_dense(theirs.lin_r, ours.self_dense)
    assert_equal(ours(graph), theirs(*tensors(graph)))


@each_graph
def test_gin(graph):
    graph = unweighted(graph)
    ours = randomize(GINLayer(4, hidden_dim=6), graph)
    mlp = torch.nn.Sequential(torch.nn.Linear(DIM, 6), torch.nn.ReLU(), torch.nn.Linear(6, 4))
    theirs = nn.GINConv(mlp, train_eps=True)
    give_dense(mlp[0], ours.hidden_dense)
    give_dense(mlp[2], ours.output_dense)
    give(theirs.eps, ours.epsilon)
    assert_equal(ours(graph), theirs(*tensors(graph)))


@pytest.mark.parametrize("num_bases", [None, 2])
def test_rgcn(num_bases):
    x = GRAPHS[0]["node_features"]
    relations = [("node", name, "node") for name in "abc"]
    edges = [graph["edge_index"] for graph in GRAPHS]
    graph = {
        "node_features": {"node": x},
        "edge_index": dict(zip(relations, edges, strict=True)),
    }
    ours = randomize(RGCNLayer(4, num_bases=num_bases), graph)
    theirs = nn.RGCNConv(DIM, 4, num_relations=3, num_bases=num_bases)
    if num_bases is None:
        for i, kernel in enumerate(ours.kernels.values()):
            give(theirs.weight.data[i], kernel)
    else:
        give(theirs.weight, ours.bases)
        give(theirs.comp, ours.shares)
    give(theirs.root, ours.self_denses["node"].kernel)
    give(theirs.bias, ours.self_denses["node"].bias)
    kinds = torch.arange(3).repeat_interleave(edges[0].shape[1])
    index = torch.tensor(np.concatenate(edges, axis=1)).long()
    assert_equal(ours(graph)["node"], theirs(torch.tensor(x), index, kinds))


def test_hgt():
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
    ours = randomize(HGTLayer(4, num_heads=2), graph)
    theirs = nn.HGTConv(dims, 4, (["image", "text"], list(relations)), heads=2)
    for name in dims:
        fused = theirs.kqv_lin.lins[name]
        layers = ours.keys[name], ours.queries[name], ours.values[name]
        kernel = np.concatenate([to_numpy(layer.kernel) for layer in layers], axis=1)
        give(fused.weight, kernel, transpose=True)
        give(fused.bias, np.concatenate([to_numpy(layer.bias) for layer in layers]))
        give_dense(theirs.out_lin.lins[name], ours.output_denses[name])
        if name in ours.gates:
            give(theirs.skip[name], ours.gates[name])
    for relation in relations:
        # Of each head, its kernels of all relations.
        kinds = theirs.edge_types_map[relation] + np.arange(2) * len(relations)
        key = "/".join(relation)
        give(theirs.p_rel["__".join(relation)], ours.priors[key])
        for head, kind in enumerate(kinds):
            give(theirs.k_rel.weight.data[kind], ours.attention_kernels[key][head])
            give(theirs.v_rel.weight.data[kind], ours.message_kernels[key][head])
    features = {name: torch.tensor(x) for name, x in graph["node_features"].items()}
    edges = {key: torch.tensor(index).long() for key, index in graph["edge_index"].items()}
    expected = theirs(features, edges)
    for name, x in ours(graph).items():
        assert_equal(x, expected[name])


INDEX = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
NODES_OF_GRAPHS = {
    "node_features": np.random.default_rng(1).normal(size=(10, DIM)).astype("float32"),
    "graph_index": INDEX,
}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (GraphSumPooling, nn.global_add_pool),
        (GraphMeanPooling, nn.global_mean_pool),
        (GraphMaxPooling, nn.global_max_pool),
    ],
)
def test_plain_poolings(ours, theirs):
    expected = theirs(torch.tensor(NODES_OF_GRAPHS["node_features"]), torch.tensor(INDEX))
    assert_equal(ours()(NODES_OF_GRAPHS), expected)


def test_attention_pooling():
    ours = randomize(GraphAttentionPooling(), NODES_OF_GRAPHS)
    gate = torch.nn.Linear(DIM, 1)
    give_dense(gate, ours.score_dense)
    theirs = aggr.AttentionalAggregation(gate)
    expected = theirs(torch.tensor(NODES_OF_GRAPHS["node_features"]), torch.tensor(INDEX))
    assert_equal(ours(NODES_OF_GRAPHS), expected)


def test_top_k_pooling():
    graph = {**NODES_OF_GRAPHS, "edge_index": np.array([[0, 1], [1, 2]])}
    ours = randomize(TopKPooling(0.5), graph)
    theirs = nn.TopKPooling(DIM, ratio=0.5)
    give(theirs.select.weight, ours.projection)
    x, edges = tensors(graph)
    features, _, _, _, kept, _ = theirs(x, edges, batch=torch.tensor(INDEX))
    found = ours(graph)
    expected = torch.zeros((10, DIM))
    expected[kept] = features
    assert_equal(found["node_features"], expected)
    np.testing.assert_array_equal(
        np.flatnonzero(to_numpy(found["node_mask"])), np.sort(kept.numpy())
    )


def give_block(theirs, ours):
    layers = ours.query_dense, ours.key_dense, ours.value_dense
    kernel = np.concatenate([to_numpy(layer.kernel) for layer in layers], axis=1)
    give(theirs.attn.in_proj_weight, kernel, transpose=True)
    give(theirs.attn.in_proj_bias, np.concatenate([to_numpy(layer.bias) for layer in layers]))
    give_dense(theirs.attn.out_proj, ours.output_dense)
    give_dense(theirs.lin, ours.hidden_dense)
    for norm, layer in (
        (theirs.layer_norm1, ours.attention_norm),
        (theirs.layer_norm2, ours.output_norm),
    ):
        norm.eps = layer.epsilon
        give(norm.weight, layer.gamma)
        give(norm.bias, layer.beta)


def test_set_transformer():
    from torch_geometric.nn.aggr import utils

    x = NODES_OF_GRAPHS["node_features"]
    ours = randomize(SetTransformerPooling(6, 3, num_inducing=2, num_heads=2), {"node_features": x})
    induced = utils.InducedSetAttentionBlock(6, 2, heads=2)
    seeds = utils.PoolingByMultiheadAttention(6, 3, heads=2)
    output = utils.SetAttentionBlock(6, heads=2)
    give(induced.ind, ours.inducing_points)
    give_block(induced.mab1, ours.inducing_block)
    give_block(induced.mab2, ours.node_block)
    give_dense(seeds.lin, ours.node_dense)
    give(seeds.seed, ours.seeds)
    give_block(seeds.mab, ours.seed_block)
    give_block(output.mab, ours.output_block)
    rows = torch.tensor(to_numpy(ours.input_dense(x)))[None]
    assert_equal(ours({"node_features": x}), output(seeds(induced(rows))).reshape(1, -1))


def test_jumping_knowledge():
    rng = np.random.default_rng(0)
    layers = [rng.normal(size=(7, 4)).astype("float32") for _ in range(3)]
    ours = randomize(JumpingKnowledge("attention"), layers)
    theirs = nn.JumpingKnowledge("lstm", channels=4, num_layers=3)
    for lstm, ending in ((ours.lstm.forward_layer, "l0"), (ours.lstm.backward_layer, "l0_reverse")):
        give(getattr(theirs.lstm, f"weight_ih_{ending}"), lstm.cell.kernel, transpose=True)
        give(
            getattr(theirs.lstm, f"weight_hh_{ending}"), lstm.cell.recurrent_kernel, transpose=True
        )
        give(getattr(theirs.lstm, f"bias_ih_{ending}"), lstm.cell.bias)
        torch.nn.init.zeros_(getattr(theirs.lstm, f"bias_hh_{ending}"))
    give_dense(theirs.att, ours.score_dense)
    assert_equal(ours(layers), theirs([torch.tensor(x) for x in layers]))
    for mode, name in (("concat", "cat"), ("max", "max")):
        expected = nn.JumpingKnowledge(name)([torch.tensor(x) for x in layers])
        assert_equal(JumpingKnowledge(mode)(layers), expected)


def test_training_takes_the_same_steps():
    """Gradients too: five steps of gradient descent through two layers end at the same loss."""
    graph = unweighted(GRAPHS[0])
    labels = np.arange(NODES) % 3
    ours = [randomize(GATLayer(4, num_heads=2), graph)]
    hidden = {**graph, "node_features": ours[0](graph)}
    ours.append(randomize(GCNLayer(3), hidden, seed=2))
    theirs = nn.GATConv(DIM, 4, heads=2), nn.GCNConv(8, 3)
    give_dense(theirs[0].lin, ours[0].source_projection)
    give(theirs[0].att_src, ours[0].source_score)
    give(theirs[0].att_dst, ours[0].target_score)
    give_dense(theirs[1].lin, ours[1].projection)
    give(theirs[0].bias, ours[0].bias)
    give(theirs[1].bias, ours[1].bias)
    inputs = {
        "node_features": keras.Input((DIM,), name="node_features"),
        "edge_index": keras.Input(batch_shape=(2, None), dtype="int32", name="edge_index"),
    }
    model = keras.Model(inputs, ours[1]({**inputs, "node_features": ours[0](inputs)}))
    model.compile(
        keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    batches = ((graph, labels) for _ in range(6))
    losses = model.fit(batches, epochs=5, steps_per_epoch=1, shuffle=False, verbose=0)
    parameters = [parameter for layer in theirs for parameter in layer.parameters()]
    optimizer = torch.optim.SGD(parameters, 0.1)
    x, edges = tensors(graph)
    expected = []
    for _ in range(5):
        optimizer.zero_grad()
        logits = theirs[1](theirs[0](x, edges), edges)
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    np.testing.assert_allclose(losses.history["loss"], expected, atol=1e-5)
