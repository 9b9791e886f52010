import math

import pytest

from keras_mmfusion.metrics.classification import classification_scores, sentiment_scores


def test_f1_matches_values_computed_by_hand():
    # a: TP 2, FP 1, FN 1 -> 4/6; b: TP 1, FP 1, FN 0 -> 2/3; c: TP 0, FN 1 -> 0.
    labels, predictions = list("aaabc"), list("aabba")
    scores = classification_scores(labels, predictions)
    assert scores["accuracy"] == pytest.approx(3 / 5)
    assert scores["macro_f1"] == pytest.approx((4 / 6 + 2 / 3 + 0) / 3)
    assert scores["weighted_f1"] == pytest.approx(3 / 5 * 4 / 6 + 1 / 5 * 2 / 3)


def test_has0_and_non0_treat_zero_labels_as_defined():
    labels, predictions = [0.0, 0.0, -1.0, 2.0, 1.0], [0.0, -0.1, -2.0, 3.0, 0.0]
    scores = sentiment_scores(labels, predictions)
    assert scores["has0_accuracy"] == pytest.approx(4 / 5)
    # The label 1 is predicted as 0, which is not positive.
    assert scores["non0_accuracy"] == pytest.approx(2 / 3)
    assert scores["mae"] == pytest.approx((0 + 0.1 + 1 + 1 + 1) / 5)


def test_accuracy_7_rounds_and_clips_values():
    scores = sentiment_scores([3.0, -3.0, 0.4, 1.0], [7.0, -2.4, -0.4, 1.6])
    assert scores["accuracy_7"] == pytest.approx(2 / 4)


def test_correlation_is_pearson_or_nan():
    assert sentiment_scores([1, 2, 3], [2, 4, 6])["correlation"] == pytest.approx(1)
    assert sentiment_scores([1, 2, 3], [3, 2, 1])["correlation"] == pytest.approx(-1)
    assert math.isnan(sentiment_scores([1, 2, 3], [1, 1, 1])["correlation"])
    assert math.isnan(sentiment_scores([0, 0], [1, 2])["non0_f1"])


def test_invalid_shapes_raise_an_error():
    with pytest.raises(ValueError, match=r"not \(2,\) and \(3,\)"):
        classification_scores([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="at least one sample"):
        sentiment_scores([], [])
