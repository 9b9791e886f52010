"""Checks of the methods of `explain`."""

import json

import keras
import numpy as np
import pytest

from keras_mmfusion.explain import (
    Occlusion,
    explanation_checks,
    make_planted_samples,
    train_planted_model,
)
from keras_mmfusion.explain.checks.planted_signal import KEYWORDS
from keras_mmfusion.explain.checks.removal_curves import (
    compute_removal_curves,
    flip_cells,
    normalize_areas,
)
from keras_mmfusion.explain.checks.weight_randomization import (
    compute_rank_correlation,
    permute_weights,
)
from keras_mmfusion.explain.explainable import Explainable

pytestmark = pytest.mark.usefixtures("eager")


class AdditiveScore(Explainable):
    """The sum of the weights of the cells of an image that are kept, plus that of their colors."""

    def __init__(self, weights):
        self.weights = np.asarray(weights, "float64")
        image = np.ones((*self.weights.shape, 1), "float32")
        inputs = {"image": image, "text": np.zeros((2, 3), "float32")}
        kinds = {"image": "image", "text": "sequence"}
        super().__init__(None, inputs, kinds, dict(inputs), {}, "", {}, grid=self.weights.shape)

    def compute_scores(self, keep, batch_size):
        assert np.all(keep["text"])
        colors = self.constants["image_baseline"][..., 0] if self.replaced else 0.0
        image = np.where(keep["image"], self.inputs["image"][..., 0], colors)
        return np.sum(self.weights * image, axis=(1, 2))


def test_removal_curves_of_additive_score_equal_sums():
    weights = np.array([[1.0, 4.0], [-1.0, 2.0]])
    explainable = AdditiveScore(weights)
    curves = compute_removal_curves(explainable, "image", weights, orders=2)
    np.testing.assert_allclose(curves.deletion, [6, 2, 0, -1, 0])
    np.testing.assert_allclose(curves.insertion, [0, 4, 6, 7, 6])
    assert curves.random.shape == (2, 5)
    np.testing.assert_allclose(curves.random[:, [0, -1]], [[6, 0]] * 2)
    areas = normalize_areas([curves])
    assert areas["deletion"] == pytest.approx((4 + 1 - 0.5 - 0.5) / 4 / 6)
    assert areas["insertion"] == pytest.approx((2 + 5 + 6.5 + 6.5) / 4 / 6)
    fixed = np.where(weights == 4, np.nan, weights)
    curves = compute_removal_curves(explainable, "image", fixed, orders=1)
    np.testing.assert_allclose(curves.deletion, [6, 4, 3, 4])
    np.testing.assert_allclose(curves.insertion, [4, 6, 7, 6])


def test_pixel_flipping_prefers_the_order_of_effects():
    weights = np.zeros((4, 4))
    weights[1, 2], weights[3, 3] = 5.0, 3.0
    explainable = AdditiveScore(weights)
    explainable.inputs["image"] = explainable.inputs["image"] + (weights > 0)[..., None]
    ordered, unordered = flip_cells(explainable, "image", weights, samples=3)
    assert ordered > unordered
    assert explainable.replaced == ()
    np.testing.assert_array_equal(explainable.constants["image_baseline"], 1.0)


def test_weights_are_permuted_and_restored():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    before = model.get_weights()
    with pytest.raises(RuntimeError), permute_weights(model, seed=1):
        inside = model.get_weights()
        raise RuntimeError
    assert not np.array_equal(inside[0], before[0])
    np.testing.assert_array_equal(np.sort(inside[0].ravel()), np.sort(before[0].ravel()))
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_rank_correlation_uses_mean_ranks_of_ties():
    one, other = np.array([1.0, 2.0, 2.0, 5.0]), np.array([3.0, 1.0, 2.0, 9.0])
    ranks = np.array([1, 2.5, 2.5, 4]), np.array([3, 1, 2, 4])
    expected = np.corrcoef(*ranks)[0, 1]
    assert compute_rank_correlation(one, other) == pytest.approx(expected)
    assert compute_rank_correlation(one, np.ones(4)) == 0


def test_planted_tokens_decide_the_label():
    data = make_planted_samples(20, seed=3)
    for inputs, label, truth in zip(data.inputs, data.labels, data.truths, strict=True):
        [(name, is_cause)] = truth.items()
        [cause] = inputs[name][is_cause]
        if name == "words":
            assert cause == KEYWORDS[label]
            assert not np.isin(inputs["words"][~is_cause], KEYWORDS).any()
        else:
            assert (cause[0] > 0) == bool(label)
            assert np.abs(inputs["steps"][~is_cause]).max() < abs(cause[0])


@pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")
def test_checks_of_a_method_on_planted_samples():
    model, accuracy = train_planted_model(count=50, epochs=1, dim=4)
    assert 0 <= accuracy <= 1
    weights = model.get_weights()
    data = make_planted_samples(2, seed=5)
    targets = [int(label) for label in data.labels]
    checks = explanation_checks(model, data.inputs, targets, "occlusion", truths=data.truths)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert checks.completeness_error is None  # Occlusion has no base value.
    assert -1 <= checks.randomization_correlation <= 1
    assert set(checks.removal) == {"words", "steps"}
    assert checks.flipping == {}
    assert checks.hits["words"]["samples"] == checks.hits["steps"]["samples"] == 1
    assert checks.hits["words"]["chance"] == pytest.approx(1 / 8)
    assert checks.modality_rate in (0.0, 0.5, 1.0)
    assert json.loads(checks.to_json())["method"] == repr(Occlusion())
    with pytest.raises(ValueError, match="`truths` must have one entry for each of the 2"):
        explanation_checks(model, data.inputs, truths=data.truths[:1])
    with pytest.raises(ValueError, match="`samples` must have at least one sample"):
        explanation_checks(model, [])
    wrong = [{"words": np.ones(3, "bool")}] * 2
    with pytest.raises(ValueError, match="`truths` must have a bool array of shape"):
        explanation_checks(model, data.inputs, targets, "occlusion", truths=wrong)
