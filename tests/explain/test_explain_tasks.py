"""Explanations of checkpoints, retrieval, recommendations, and nodes."""

import keras
import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder
from keras import ops
from models.recommendation.planted_tastes import make_interactions
from models.retrieval.small_embedders import make_images, small_embedder

from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint
from keras_mmfusion.explain import (
    GNNExplainer,
    Occlusion,
    ShapleyValues,
    explain,
    explain_nodes,
    explainable,
)
from keras_mmfusion.explain.adapters.text_inputs import find_removal_id
from keras_mmfusion.explain.make_explainable import make_explainable
from keras_mmfusion.layers.graph import GINLayer
from keras_mmfusion.models.recommendation import GraphFusionRecommender, LightGCNRecommender

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), "uint8")


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """Returns a function that loads a small checkpoint by its name."""
    root = tmp_path_factory.mktemp("checkpoints")
    return lambda name: load_checkpoint(write_folder(root / name, name))


@pytest.fixture
def eager(monkeypatch):
    """Calls models eagerly: tracing would take longer than the few calls of a test."""
    monkeypatch.setattr(explainable, "compile_function", lambda model, function: function)


@pytest.mark.parametrize(
    ("name", "caption"), [("git", "w7 w21 w9"), ("blip", "w7 w21 w9"), ("vit_gpt2", "ca a ca")]
)
def test_captions_of_checkpoints_are_explained(load, name, caption, request):
    if name != "vit_gpt2":
        request.getfixturevalue("eager")
    model = load(name)
    preprocessor = model.preprocessor
    ids, targets, weights = preprocessor.pack_captions([caption])
    pixels = preprocessor.generate_preprocess(IMAGE[None])

    def compute(images, ids):
        logits = ops.cast(model.decode(model.encode(images, training=False), ids), "float32")
        log_probs = ops.convert_to_numpy(ops.log_softmax(logits))
        return np.take_along_axis(log_probs, targets[..., None], axis=-1)[0, :, 0]

    log_probs = compute(pixels, ids)
    sample = {"image": IMAGE, "caption": caption}
    explanation = explain(model, sample, method="occlusion")
    assert explanation.score == pytest.approx((log_probs * weights[0]).sum(), abs=1e-3)
    second = explain(model, sample, target=1, method=Occlusion(grid=(1, 1)), level="token")
    assert second.score == pytest.approx(log_probs[1], abs=1e-4)
    values = second.values["caption"]
    assert (values[[0, 2, 3]] == 0).all()  # The start token and the words after the target.
    pixels = ops.convert_to_numpy(pixels)
    gray = np.broadcast_to(np.median(pixels, axis=(0, 1, 2)), pixels.shape)
    expected = log_probs[1] - compute(gray, ids)[1]
    assert second.values["image"][0, 0] == pytest.approx(expected, abs=1e-4)
    with pytest.raises(ValueError, match="`target` must be a word of the caption"):
        make_explainable(model, sample, "zebra")


@pytest.mark.parametrize("name", ["git", "blip_vqa", "vilt"])
def test_answers_of_checkpoints_are_explained(load, name, request):
    if name != "vilt":
        request.getfixturevalue("eager")
    model = load(name)
    sample = {"image": IMAGE, "question": "w9 w7"}
    target = model.answers[1] if name == "vilt" else "w8"
    explanation = explain(model, sample, target)
    assert target in explanation.target
    assert explanation.checks["completeness_error"] < 1e-5
    if name == "vilt":
        inputs = model.preprocessor({"images": [IMAGE], "questions": ["w9 w7"]})
        logits = ops.convert_to_numpy(model(inputs, training=False))
        assert explanation.score == pytest.approx(logits[0, 1], abs=1e-4)
    if name == "blip_vqa":
        [answer] = model.answer(IMAGE, ["w9 w7"], details=True, choices=[target])
        assert explanation.score == pytest.approx(np.log(answer.probability), abs=1e-4)
    tokens = explain(model, sample, target, ShapleyValues(samples=2, grid=(1, 2)), "token")
    assert tokens.checks["completeness_error"] < 1e-5
    degrees = tokens.get_degrees()
    assert sum(degrees.values()) == pytest.approx(1) and min(degrees.values()) > 0
    with pytest.raises(ValueError, match="`baselines` must be a dict of arrays for 'image'"):
        explain(model, sample, target, baselines={"question": [0, 1]})


def test_words_are_found_in_captions(load):
    explainable = make_explainable(load("vit_gpt2"), {"image": IMAGE, "caption": "ca a"}, "a")
    assert explainable.constants["target_weights"].sum() == 1
    assert '"a" in the caption' in explainable.target_name


def test_similarities_of_pairs_are_explained(load):
    model = small_embedder()
    sample = {"image": make_images()[0], "text": "a red square"}
    vectors = [model.embed(name, [value])[0] for name, value in sample.items()]
    explanation = explain(model, sample, method="occlusion", level="token")
    assert explanation.score == pytest.approx(vectors[0] @ vectors[1], abs=1e-5)
    text = dict(model.preprocessor({"text": ["a red square"]})["text"])
    text["token_ids"][0, 2] = model.preprocessor.tokenizer.mask_token_id
    changed = ops.convert_to_numpy(model.compute_embeddings({"text": text})["text"])[0]
    effect = vectors[0] @ (vectors[1] - changed / np.linalg.norm(changed))
    assert explanation.labels["text"][2] == "red"
    assert explanation.values["text"][2] == pytest.approx(effect, abs=1e-5)
    assert explanation.values["image"].shape == (2, 2)
    clip = load("clip")
    pair = {"image": IMAGE, "text": "do ca"}
    vectors = [clip.embed(name, [value])[0] for name, value in pair.items()]
    assert explain(clip, pair).score == pytest.approx(vectors[0] @ vectors[1], abs=1e-5)
    with pytest.raises(ValueError, match="`target` must be 'similarity'"):
        explain(clip, pair, target="match")


def test_matches_of_pairs_are_explained(load, eager):
    model = load("blip_matcher")
    sample = {"image": IMAGE, "text": "w9 w7"}
    pixels = model.preprocessor({"image": IMAGE[None]})["image"]
    text = model.preprocessor({"text": ["w9 w7"]})["text"]
    ids = np.array(text["token_ids"])

    def compute(ids):
        tokens = model.image_encoder(pixels, training=False)
        logits = model.compute_match_logits(tokens, {**text, "token_ids": ids}, training=False)
        return np.diff(ops.convert_to_numpy(logits)[0])[0]

    explanation = explain(model, sample, "match", Occlusion(grid=(1, 1)), "token")
    assert explanation.target == "the logit of a match"
    assert explanation.score == pytest.approx(compute(ids), abs=1e-4)
    changed = ids.copy()
    changed[0, 2], _ = find_removal_id(model.preprocessor.tokenizer)
    expected = compute(ids) - compute(changed)
    assert explanation.labels["text"][1:3] == ["w9", "w7"]
    assert explanation.values["text"][2] == pytest.approx(expected, abs=1e-4)
    assert (explanation.values["text"][3:] == 0).all()  # The end of the text and the padding.
    similarity = explain(model, sample, method="occlusion")
    assert -1 <= similarity.score <= 1  # Another function of the same model.
    with pytest.raises(ValueError, match="no attention layers between known tokens"):
        explain(model, sample, "match", "attention")


def test_recommendations_are_explained_by_the_features_of_the_item():
    train, _, items = make_interactions()
    keras.utils.set_random_seed(0)
    model = GraphFusionRecommender(4, neighbors=3)
    model.adapt(train, items)
    sample = {"user": "u3", "item": "i4"}
    explanation = explain(model, sample)
    scores = model.compute_scores(["u3"], exclude_seen=False)[0]
    index = model.item_ids.tolist().index("i4")
    assert explanation.score == pytest.approx(scores[index], abs=1e-5)
    table = model.features["photo"]
    rows = ops.convert_to_numpy(table).copy()
    rows[index] = 0
    before = ops.convert_to_numpy(table).copy()
    occlusion = explain(model, sample, method="occlusion")
    table.assign(rows)
    changed = model.compute_scores(["u3"], exclude_seen=False)[0, index]
    table.assign(before)
    assert occlusion.values["photo"] == pytest.approx(scores[index] - changed, abs=1e-5)
    features = explain(model, sample, method="occlusion", level="feature")
    assert features.values["text"].shape == (5,)
    with pytest.raises(ValueError, match="`inputs\\['user'\\]` must be a user"):
        explain(model, {"user": "zoe", "item": "i4"})
    other = LightGCNRecommender(4)
    other.adapt(train)
    with pytest.raises(ValueError, match="`model` must use the features"):
        explain(other, sample)


def test_nodes_are_explained_by_edges_and_features(eager):
    rng = np.random.default_rng(0)
    edge_index = np.array([[0, 1, 2, 3, 4], [1, 2, 1, 1, 3]])
    graph = {"node_features": rng.normal(size=(5, 3)).astype("float32"), "edge_index": edge_index}
    model = keras.Sequential([GINLayer(2)])
    logits = ops.convert_to_numpy(model(graph))
    explanation = explain(model, graph, target=(1, 0), method="occlusion", level="edge")
    assert explanation.score == pytest.approx(logits[1, 0], abs=1e-5)
    without = {**graph, "edge_index": edge_index[:, [0, 1, 3, 4]]}
    expected = logits[1, 0] - ops.convert_to_numpy(model(without))[1, 0]
    assert explanation.values["edges"][2] == pytest.approx(expected, abs=1e-5)
    np.testing.assert_array_equal(explanation.edges["edges"], edge_index)
    assert explanation.node == 1
    modalities = explain(model, graph, target=(1, 0))
    assert set(modalities.values) == {"edges", "features"}
    assert explain(model, graph, 1, level="feature").values["features"].shape == (3,)
    [expected] = explain_nodes(model, graph, [1], steps=3)
    masks = explain(model, graph, 1, GNNExplainer(steps=3), "edge")
    np.testing.assert_allclose(masks.values["edges"], expected.edge_scores, atol=1e-6)
    with pytest.raises(ValueError, match="`target` must be the index of one of 5 nodes"):
        explain(model, graph, 7)
    with pytest.raises(ValueError, match="`target` must be the index of one of 2 classes"):
        explain(model, graph, (1, 2))
    with pytest.raises(ValueError, match="does not fit: it has the levels 'edge', 'feature'"):
        explain(model, graph, 1, "gnn_explainer")
    with pytest.raises(ValueError, match="`baselines` must be a dict without arrays"):
        explain(model, graph, 1, baselines={"features": np.ones(3)})
