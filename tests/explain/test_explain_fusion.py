"""Explanations of fusion models."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion import FusionBlock
from keras_mmfusion.encoders import TokenEncoder
from keras_mmfusion.explain import Explanation, FusionShares, Occlusion, ShapleyValues, explain
from keras_mmfusion.explain.explainable import Explainable
from keras_mmfusion.explain.formulas.shapley_formulas import compute_shapley_values, list_coalitions
from keras_mmfusion.explain.make_explainable import make_explainable
from keras_mmfusion.explain.methods.grad_cam import find_feature_layer
from keras_mmfusion.models import ConversationModel, FusionModel

NAMES = ("words", "audio", "image", "table")


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    return {
        "words": rng.integers(1, 20, 5).astype("int32"),
        "audio": rng.normal(size=(4, 3)).astype("float32"),
        "image": rng.normal(size=(8, 8, 3)).astype("float32"),
        "table": rng.normal(size=6).astype("float32"),
    }


@pytest.fixture(scope="module")
def model(sample):
    keras.utils.set_random_seed(0)
    model = FusionModel(
        {
            "words": TokenEncoder(8, 1, 2, vocabulary_size=20),
            "image": keras.Sequential([keras.layers.Conv2D(4, 4, 4), keras.layers.Flatten()]),
        },
        FusionBlock(NAMES, combine="concat", dim=8),
        keras.Sequential([keras.layers.Dense(8, "tanh"), keras.layers.Dense(3)]),
    )
    model(add_axis(sample))
    return model


def add_axis(sample):
    return {name: np.asarray(x)[np.newaxis] for name, x in sample.items()}


def compute(model, sample, output, **changes):
    outputs = ops.convert_to_numpy(model(add_axis({**sample, **changes})))
    return outputs[0, output].astype("float64")


def test_modality_values_are_the_exact_shapley_values_of_missing_modalities(model, sample):
    explanation = explain(model, sample, target=1)
    scores = []
    for coalition in list_coalitions(4):
        masks = {f"{n}_mask": np.array(k) for n, k in zip(NAMES, coalition, strict=True)}
        scores.append(compute(model, sample, 1, **masks))
    expected = compute_shapley_values(scores)
    actual = list(explanation.get_modality_values().values())
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    assert explanation.base_value == pytest.approx(scores[0], abs=1e-5)
    assert explanation.score == pytest.approx(scores[-1], abs=1e-5)
    assert explanation.checks["completeness_error"] < 1e-6
    assert explanation.interactions.shape == (4, 4)
    assert explanation.target == "output 1" and "missing" in explanation.removal["image"]


def test_four_modalities_need_one_batch_of_sixteen(model, sample, monkeypatch):
    batches = []
    compute_scores = Explainable.compute_scores

    def record(self, keep, batch_size):
        batches.append(len(next(iter(keep.values()))))
        return compute_scores(self, keep, batch_size)

    monkeypatch.setattr(Explainable, "compute_scores", record)
    explain(model, sample, target=1)
    assert batches == [16]


def test_smaller_batches_give_the_same_values(model, sample):
    expected = explain(model, sample, target=1)
    actual = explain(model, sample, target=1, batch_size=3)
    np.testing.assert_allclose(
        list(actual.values.values()), list(expected.values.values()), atol=1e-6
    )


def test_the_largest_output_is_explained_by_default(model, sample):
    outputs = ops.convert_to_numpy(model(add_axis(sample)))[0]
    explanation = explain(model, sample, method="occlusion")
    assert explanation.target == f"output {outputs.argmax()}"
    assert explanation.score == pytest.approx(outputs.max(), abs=1e-5)


def test_occlusion_of_tokens_masks_one_token(model, sample):
    explanation = explain(model, sample, target=0, method=Occlusion(grid=(2, 2)), level="token")
    shapes = {name: x.shape for name, x in explanation.values.items()}
    assert shapes == {"words": (5,), "audio": (4,), "image": (2, 2), "table": ()}
    full = compute(model, sample, 0)
    for name, size in (("words", 5), ("audio", 4)):
        without = compute(model, sample, 0, **{f"{name}_mask": np.arange(size) != 2})
        assert explanation.values[name][2] == pytest.approx(full - without, abs=1e-5)
    hidden = sample["image"].copy()
    hidden[:4, 4:] = np.median(hidden, axis=(0, 1))
    without = compute(model, sample, 0, image=hidden)
    assert explanation.values["image"][0, 1] == pytest.approx(full - without, abs=1e-5)


def test_feature_values_sum_to_the_change_from_the_given_baseline(model, sample):
    baseline = np.full(6, 0.5, "float32")
    explanation = explain(
        model, sample, 2, ShapleyValues(samples=2), "feature", baselines={"table": baseline}
    )
    assert set(explanation.values) == {"table"} and explanation.values["table"].shape == (6,)
    base = compute(model, sample, 2, table=baseline)
    assert explanation.base_value == pytest.approx(base, abs=1e-5)
    assert explanation.values["table"].sum() == pytest.approx(
        compute(model, sample, 2) - base, abs=1e-5
    )
    assert explanation.standard_errors["table"].shape == (6,)
    assert explanation.removal == {"table": "replaced by the given baseline"}


def test_pixels_share_the_value_of_their_cell(model, sample):
    method = ShapleyValues(grid=(2, 2))
    pixels = explain(model, sample, 0, method, "pixel")
    cells = explain(
        model, sample, 0, ShapleyValues(grid=(2, 2), groups=keep_only("image", (2, 2))), "token"
    )
    assert pixels.values["image"].shape == (8, 8)
    np.testing.assert_allclose(
        pixels.values["image"][::4, ::4] * 16, cells.values["image"], atol=1e-5
    )


def keep_only(name, shape):
    """Groups in which only the parts of one modality are removed."""
    sizes = {"words": (5,), "audio": (4,), "image": (2, 2), "table": ()}
    groups = {each: np.full(size, -1) for each, size in sizes.items() if each != name}
    return {**groups, name: np.arange(4).reshape(shape)}


def test_grad_cam_uses_the_feature_map_of_the_image_encoder(model, sample):
    values = explain(model, sample, 0, "grad_cam", "pixel").values
    assert list(values) == ["image"] and values["image"].shape == (8, 8)
    assert (values["image"] >= 0).all()
    explainable = make_explainable(model, sample, 0)
    assert find_feature_layer(explainable) is model.encoders["image"].layers[0]
    assert explainable.grid == (8, 8)  # The encoder returns a vector.


def test_groups_are_removed_together(model, sample):
    groups = {"words": np.array([0, 0, 1, 1, -1])}
    explanation = explain(model, sample, 0, Occlusion(grid=(1, 1), groups=groups), "token")
    values = explanation.values["words"]
    without = compute(model, sample, 0, words_mask=np.arange(5) >= 2)
    assert values[0] == values[1] and values[4] == 0
    assert values[0] * 2 == pytest.approx(compute(model, sample, 0) - without, abs=1e-5)


def test_sampled_values_depend_only_on_the_seed_and_are_close_to_the_exact_ones(model, sample):
    exact = explain(model, sample, target=0)
    first, second = (
        explain(model, sample, target=0, method=ShapleyValues(samples=50, seed=4)) for _ in range(2)
    )
    for name in NAMES:
        assert first.values[name] == second.values[name]
        assert abs(first.values[name] - exact.values[name]) < 5 * first.standard_errors[name] + 1e-6


def test_missing_modalities_and_padding_are_no_parts(model, sample):
    changed = {**sample, "audio": None, "table": np.zeros(6), "table_mask": np.array(False)}
    changed["words_mask"] = np.array([True, True, True, False, False])
    explanation = explain(model, changed, target=0, method=Occlusion(grid=(2, 2)), level="token")
    assert set(explanation.values) == {"words", "image"}
    assert (explanation.values["words"][3:] == 0).all()
    del changed["audio"]
    assert set(explain(model, changed, target=0).values) == {"words", "image"}
    none = {f"{name}_mask": np.array(False) for name in NAMES}
    with pytest.raises(ValueError, match="at least one modality that is not missing"):
        explain(model, {**sample, **none})


def test_shares_are_those_of_the_fusion(model, sample):
    explanation = explain(model, sample, method=FusionShares())
    shares = ops.convert_to_numpy(model.compute_shares(add_axis(sample)))[0]
    np.testing.assert_allclose(list(explanation.values.values()), shares, atol=1e-6)


def test_scores_are_differentiable_by_inputs_and_embeddings(model, sample):
    explainable = make_explainable(model, sample, target=0)
    assert explainable.differentiable == NAMES
    embedded = {name: explainable.embed(name)[np.newaxis] for name in NAMES}
    assert embedded["words"].shape == (1, 5, 8)
    [score] = ops.convert_to_numpy(explainable.compute(embedded))
    assert score == pytest.approx(compute(model, sample, 0), abs=1e-5)
    changed = {**embedded, "words": embedded["words"] * 0}
    assert abs(ops.convert_to_numpy(explainable.compute(changed))[0] - score) > 1e-4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": 3}, "`target` must be the index of one of 3 outputs"),
        ({"target": "cat"}, "`target` must be the index"),
        ({"method": "lime"}, "`method` must be an `ExplanationMethod`.*'shapley'"),
        ({"method": "gnn_explainer", "level": "edge"}, "`level` must be one of 'modality'"),
        ({"method": "fusion_shares", "level": "token"}, "Methods that fit: 'shapley', 'occlusion'"),
        ({"level": "sentence"}, "`level` must be one of"),
        ({"batch_size": 0}, "`batch_size` must be a positive integer"),
        ({"baselines": {"video": 0}}, "`baselines` must be a dict of arrays for 'words', 'audio'"),
        ({"baselines": [0]}, "`baselines` must be a dict.*Received: list"),
        ({"baselines": {"table": np.zeros(2)}}, "the shape of the preprocessed input, \\(6,\\)"),
        ({"method": Occlusion(groups={"words": [0, 1]}), "level": "token"}, "`groups` must have"),
        (
            {"method": Occlusion(groups={"table": [-1] * 6}), "level": "feature"},
            "no part to remove",
        ),
        ({"labels": {"table": ["age"]}, "level": "feature"}, "`labels` must have.*'table': 6"),
    ],
)
def test_invalid_arguments_raise(model, sample, arguments, message):
    with pytest.raises(ValueError, match=message):
        explain(model, sample, **arguments)


def test_invalid_samples_raise(model):
    with pytest.raises(ValueError, match="with the modalities 'words'.*Received: \\['video'\\]"):
        explain(model, {"video": np.ones(3)})
    with pytest.raises(ValueError, match="`model` must be one of"):
        explain(keras.Sequential([keras.layers.Dense(1)]), {"x": np.ones(3)})


def test_figures_json_and_html_contain_the_values(model, sample, tmp_path):
    pytest.importorskip("matplotlib")
    explanation = explain(model, sample, 0, ShapleyValues(samples=2, grid=(2, 2)), "token")
    figure = explanation.plot(tmp_path / "figure.png")
    assert len(figure.axes) == 6  # Four panels, the bars below the audio, and a color bar.
    names = [f"column {index}" for index in range(6)]
    table = explain(model, sample, 0, Occlusion(), "feature", labels={"table": names})
    assert table.get_labels("table") == names
    assert (tmp_path / "figure.png").stat().st_size > 1000
    loaded = Explanation.from_json(explanation.to_json())
    assert json.loads(explanation.to_json())["target"] == "output 0"
    for name, values in explanation.values.items():
        np.testing.assert_array_equal(loaded.values[name], values)
    assert loaded.to_json() == explanation.to_json()
    page = explanation.to_html()
    assert page.startswith("<!DOCTYPE html>") and "data:image/png;base64" in page
    assert f"{explanation.get_modality_values()['words']:.4g}" in page
    assert "http" not in page and explanation._repr_html_() in page
    assert "values={'words': (5,)" in repr(explanation)


def test_utterances_of_conversations_are_explained():
    keras.utils.set_random_seed(0)
    model = ConversationModel(
        FusionModel({}, FusionBlock(("text", "audio"), combine="concat", dim=8)),
        TokenEncoder(8, 1, 2),
        keras.layers.Dense(2),
    )
    rng = np.random.default_rng(0)
    sample = {name: rng.normal(size=(4, 3)).astype("float32") for name in ("text", "audio")}
    outputs = ops.convert_to_numpy(model(add_axis(sample)))[0]
    explanation = explain(model, sample, target=(2, 1), level="token", method="occlusion")
    assert explanation.score == pytest.approx(outputs[2, 1], abs=1e-5)
    mask = np.array([True, False, True, True])
    changed = ops.convert_to_numpy(model(add_axis({**sample, "audio_mask": mask})))[0]
    assert explanation.values["audio"][1] == pytest.approx(outputs[2, 1] - changed[2, 1], abs=1e-5)
    assert explain(model, sample, target=3).target.endswith("of utterance 3")
    with pytest.raises(ValueError, match="`target` must be the index of one of 4 utterances"):
        explain(model, sample)
