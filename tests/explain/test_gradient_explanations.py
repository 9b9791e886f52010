"""Gradient and attention methods of `explain` on models of several tasks."""

import keras
import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder
from keras import ops
from models.captioning.small_captioners import color_image, small_captioner
from models.question_answering.colored_shapes import make_question_answerer
from models.question_answering.small_question_answerers import small_blip

from keras_mmfusion import CrossModalAttention, FusionBlock
from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint
from keras_mmfusion.explain import (
    GradCAM,
    IntegratedGradients,
    SmoothGrad,
    explain,
)
from keras_mmfusion.explain.explainable import Explainable
from keras_mmfusion.explain.formulas.activation_formulas import compute_grad_cam
from keras_mmfusion.explain.formulas.attention_formulas import weigh_attention
from keras_mmfusion.explain.internals.sample_attention import SampleAttention
from keras_mmfusion.explain.internals.score_gradients import (
    compute_attention_gradients,
    make_input_gradients,
)
from keras_mmfusion.explain.make_explainable import make_explainable
from keras_mmfusion.explain.methods.grad_cam import find_feature_layer
from keras_mmfusion.models import FusionModel

NUMBERS = {"one": 2, "other": 3}  # Of tokens.
ATTENTION = ("attention", "attention_rollout", "attention_relevance")


pytestmark = pytest.mark.usefixtures("eager")


@pytest.fixture(scope="module")
def captioner():
    return small_captioner()


@pytest.fixture(scope="module")
def caption_sample():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype("uint8")
    return {"image": image, "caption": "a red square on the wall"}


@pytest.fixture
def compiled():
    """Requests that functions of TensorFlow are compiled."""


class AttentionProbe(Explainable):
    """The sum over all outputs of an attention layer, weighted by `inputs["weights"]`."""

    def _compute(self, values, keep, constants):
        output = self.model.layers[-1](values["query"], values["key"])
        return ops.sum(output * constants["weights"], axis=(1, 2))


@pytest.mark.parametrize("layer_class", [CrossModalAttention, keras.layers.MultiHeadAttention])
def test_gradients_of_attention_scores_equal_closed_form(layer_class):
    rng = np.random.default_rng(0)
    query, key, weights = (
        rng.normal(size=shape).astype("float32") for shape in ((2, 4), (3, 4), (2, 4))
    )
    layer = layer_class(2, 2)
    inputs = [keras.Input(x.shape) for x in (query, key)]
    model = keras.Model(inputs, layer(*inputs))
    kinds = dict.fromkeys(("query", "key"), "sequence")
    arrays = {"query": query, "key": key}
    probe = AttentionProbe(model, arrays, kinds, arrays, {"weights": weights}, "", {})
    [(called, scores, gradients)], _ = compute_attention_gradients(probe, [layer])
    _, expected = layer(query[None], key[None], return_attention_scores=True)
    assert called is layer
    np.testing.assert_allclose(scores, ops.convert_to_numpy(expected), atol=1e-6)
    # The output is Σ_j A_ij v_j W_o for each head.
    kernels = [
        ops.convert_to_numpy(each.kernel) for each in (layer.value_dense, layer.output_dense)
    ]
    values = np.einsum("kd,dhe->hke", key, kernels[0].reshape(4, 2, 2))
    outputs = np.einsum("hke,hed->hkd", values, kernels[1].reshape(2, 2, 4))
    expected = np.einsum("hkd,qd->hqk", outputs, weights)
    np.testing.assert_allclose(gradients[0], expected, rtol=1e-4, atol=1e-5)


def test_integrated_gradients_of_fusion_model_are_complete(compiled):
    embedding = keras.layers.Embedding(5, 3)
    fusion = FusionBlock(("words", "record"), combine="concat", dim=4)
    model = FusionModel({"words": embedding}, fusion, keras.layers.Dense(2))
    inputs = {"words": np.array([1, 4, 2]), "record": np.array([0.5, -2.0], "float32")}
    model({name: x[None] for name, x in inputs.items()})
    values = {}
    for level in ("modality", "token", "feature"):
        explanation = explain(model, inputs, 1, IntegratedGradients(40), level, batch_size=16)
        values[level] = explanation.values
        change = explanation.score - explanation.base_value
        assert explanation.checks["completeness_error"] < 0.01 * abs(change)
        assert explanation.removal == {}  # Nothing is removed: the inputs move to the baseline.
    for name in inputs:
        total = values["modality"][name]
        assert values["token"][name].sum() == pytest.approx(total, abs=1e-5)
    record = values["modality"]["record"]
    assert values["feature"]["record"].sum() == pytest.approx(record, abs=1e-5)


def test_missing_features_have_no_value():
    fusion = FusionBlock(("words", "record"), combine="concat", dim=4)
    model = FusionModel(
        {"words": keras.layers.Embedding(5, 3), "record": NanToOne()},
        fusion,
        keras.layers.Dense(2),
    )
    inputs = {"words": np.array([1, 2]), "record": np.array([np.nan, 2.0], "float32")}
    model({name: x[None] for name, x in inputs.items()})
    for method in (IntegratedGradients(2), SmoothGrad(2)):
        values = explain(model, inputs, 0, method, "feature").values["record"]
        assert values[0] == 0
        assert values[1] != 0


class NanToOne(keras.layers.Layer):
    """Replaces NaN by 1."""

    allows_nan = True

    def call(self, inputs):
        return ops.where(ops.isnan(inputs), 1.0, inputs)


def test_levels_of_captions_have_equal_sums(captioner, caption_sample):
    results = {
        level: explain(
            captioner, caption_sample, "red", IntegratedGradients(4), level, batch_size=3
        )
        for level in ("modality", "token", "pixel")
    }
    values = {level: each.values for level, each in results.items()}
    assert values["token"]["image"].shape == (2, 2)
    assert values["pixel"]["image"].shape == (32, 32)
    np.testing.assert_array_equal(values["token"]["caption"][2:], 0)  # The words after "a".
    total = values["modality"]["image"]
    assert values["token"]["image"].sum() == pytest.approx(total, abs=1e-4)
    assert values["pixel"]["image"].sum() == pytest.approx(total, abs=1e-4)
    cells = values["pixel"]["image"].reshape(2, 16, 2, 16).sum(axis=(1, 3))
    np.testing.assert_allclose(values["token"]["image"], cells, atol=1e-4)
    error = results["token"].checks["completeness_error"]
    sums = sum(results["token"].get_modality_values().values())
    change = results["token"].score - results["token"].base_value
    assert abs(sums - change) == pytest.approx(error, abs=1e-4)


def test_gradients_by_embeddings_equal_differences(captioner, caption_sample):
    explainable = make_explainable(captioner, caption_sample, "red")
    compute = make_input_gradients(explainable)
    points = {name: explainable.embed(name)[None] for name in explainable.modalities}
    scores, gradients = compute(points)
    [score] = explainable.compute_scores({"image": np.ones(1, bool)}, 1)
    assert scores[0] == pytest.approx(score, abs=1e-4)
    rng = np.random.default_rng(0)
    for name in points:
        direction = np.sign(rng.normal(size=points[name].shape)).astype("float32")
        step = 1e-3
        changed = [
            compute({**points, name: points[name] + sign * step * direction})[0][0]
            for sign in (1, -1)
        ]
        slope = (changed[0] - changed[1]) / (2 * step)
        assert np.sum(gradients[name] * direction) == pytest.approx(slope, rel=0.05, abs=0.02)


def test_grad_cam_of_caption_equals_gradients_of_image_tokens(captioner, caption_sample):
    explainable = make_explainable(captioner, caption_sample, "red")
    tokens = captioner.encode(ops.convert_to_tensor(explainable.inputs["image"][None]))
    tokens = ops.convert_to_numpy(tokens)
    ids = np.repeat(explainable.inputs["caption"][None], 2 * tokens[0].size, axis=0)
    step = 1e-2 * np.eye(tokens[0].size, dtype="float32").reshape(-1, *tokens.shape[1:])
    changed = np.concatenate([tokens + step, tokens - step])
    logits = ops.cast(captioner.decode(ops.convert_to_tensor(changed), ids), "float32")
    position = explainable.constants["target_weights"].argmax()
    target = explainable.constants["target_ids"][position]
    scores = ops.convert_to_numpy(ops.log_softmax(logits))[:, position, target]
    up, down = np.split(scores, 2)
    gradients = ((up - down) / 2e-2).reshape(tokens.shape[1:])
    expected = compute_grad_cam(tokens[0], gradients).reshape(2, 2)
    result = explain(captioner, caption_sample, "red", GradCAM(), "token").values
    assert list(result) == ["image"]
    np.testing.assert_allclose(result["image"], expected, rtol=0.05, atol=0.02)
    pixels = explain(captioner, caption_sample, "red", "grad_cam_plus_plus", "pixel").values
    assert pixels["image"].shape == (32, 32)
    assert np.all(pixels["image"] >= 0)


def test_grad_cam_of_vector_encoder_uses_its_last_feature_map():
    images = keras.Input((8, 8, 3))
    features = keras.layers.Conv2D(4, 2, 2, name="features")(images)
    encoder = keras.Model(images, keras.layers.GlobalAveragePooling2D()(features))
    model = make_question_answerer(image_encoder=encoder)
    sample = {"image": color_image("red"), "question": "what color is it"}
    explainable = make_explainable(model, sample)
    assert find_feature_layer(explainable).name == "features"
    values = explain(model, sample, method="grad_cam", level="token").values["image"]
    assert values.shape == explainable.grid


def test_attention_of_caption_is_that_of_its_decoder(captioner, caption_sample):
    explainable = make_explainable(captioner, caption_sample, "red")
    tokens = captioner.encode(ops.convert_to_tensor(explainable.inputs["image"][None]))
    _, scores = captioner.decode(
        tokens, explainable.inputs["caption"][None], return_attention_scores=True
    )
    values = explain(captioner, caption_sample, "red", "attention", "token").values
    expected = ops.convert_to_numpy(scores)[0, 1].reshape(2, 2)
    np.testing.assert_allclose(values["image"], expected, atol=1e-5)
    assert values["caption"].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", ["git", "blip", "vilt", "blip_vqa"])
def test_attention_methods_read_joint_and_chained_transformers(name, tmp_path):
    sample = {"image": color_image("red"), "question": "is it red"}
    writes_answer = name == "blip_vqa"
    model = small_blip() if writes_answer else load_checkpoint(write_folder(tmp_path / name, name))
    if name in ("git", "blip"):
        sample = {"image": color_image("red"), "caption": "w7 w21 w9"}
    target = "red" if writes_answer else None
    text = next(each for each in sample if each != "image")
    for method in ATTENTION:
        values = explain(model, sample, target, method, "token").values
        assert values["image"].ndim == 2
        assert values[text].ndim == 1
        for x in values.values():
            assert np.all(np.isfinite(x))
            assert np.all(x >= 0)
        assert values["image"].sum() > 0


def test_relevance_of_hybrid_fusion_equals_equations_of_its_stage():
    fusion = FusionBlock(("one", "other"), "hybrid", "concat", dim=4, num_stages=1, num_heads=2)
    model = FusionModel({}, fusion, keras.layers.Dense(2))
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=(n, 4)).astype("float32") for name, n in NUMBERS.items()}
    model({name: x[None] for name, x in inputs.items()})
    calls = SampleAttention(make_explainable(model, inputs, 0)).calls
    streams = [(call.query, *call.keys) for call in calls]
    assert streams == [("one", "one"), ("other", "other"), ("one", "other"), ("other", "one")]
    weights = [weigh_attention(call.scores, call.gradients) for call in calls]
    expected = {}
    for name, own, cross in (("one", weights[0], weights[2]), ("other", weights[1], weights[3])):
        sums = own.sum(axis=1, keepdims=True)
        normalized = np.eye(len(own)) + own / np.where(sums == 0, 1, sums)
        # The keys are the tokens before self-attention, which are relevant for themselves only.
        expected[name, name] = np.eye(len(own)) + own
        expected[name, "other" if name == "one" else "one"] = normalized.T @ cross
    values = explain(model, inputs, 0, "attention_relevance", "token").values
    for key in NUMBERS:
        total = sum(expected[query, key].mean(axis=0) for query in NUMBERS)
        np.testing.assert_allclose(values[key], total, rtol=1e-5, atol=1e-6)


def test_error_lists_methods_that_fit():
    fusion = FusionBlock(("one", "other"), combine="concat", dim=4)
    fusion_model = FusionModel({}, fusion, keras.layers.Dense(2))
    inputs = {"one": np.ones(2, "float32"), "other": np.ones(3, "float32")}
    fusion_model({name: x[None] for name, x in inputs.items()})
    with pytest.raises(ValueError, match="no attention layers.*'integrated_gradients'"):
        explain(fusion_model, inputs, method="attention")
    with pytest.raises(ValueError, match="no image encoder with a feature map"):
        explain(fusion_model, inputs, method="grad_cam", level="token")
    with pytest.raises(ValueError, match="`steps` must be a positive integer"):
        IntegratedGradients(steps=0)
    with pytest.raises(ValueError, match="`noise` must be a positive number"):
        SmoothGrad(noise=0)
