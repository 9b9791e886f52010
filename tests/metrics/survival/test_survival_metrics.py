"""Survival metrics against values computed by hand, and their errors."""

import numpy as np
import pytest
from survival_samples import make_samples

from keras_mmfusion.metrics import (
    brier_scores,
    check_survival,
    concordance_index,
    integrated_brier_score,
    kaplan_meier_curve,
    log_rank_test,
    uno_concordance_index,
)


def test_concordance_counts_comparable_pairs():
    times, events, risks = [1, 2, 2, 2, 3], [1, 1, 1, 0, 0], [5, 4, 4, 4, 9]
    # Comparable: 1 before all 4 others (3 concordant), each event at 2 before the censored sample
    # at 2 (equal risk) and before 3 (discordant). The events at 2 are not comparable.
    assert concordance_index(times, events, risks) == pytest.approx((3 + 0.5 + 0.5) / 8)
    assert concordance_index(times, events, [0.0] * 5) == 0.5


def test_uno_concordance_equals_harrell_without_censoring():
    times, _, risks = make_samples(0)
    events = np.ones(len(times))
    expected = concordance_index(times, events, risks)
    actual = uno_concordance_index(times, events, times, events, risks)
    assert actual == pytest.approx(expected)


def test_uno_concordance_weights_pairs_by_squared_inverse_probabilities():
    # The probability of no censoring is 1 at time 1, and 2/3 at time 3 (one of 3 left at time 2).
    times, events = [1, 2, 3, 4], [1, 0, 1, 1]
    value = uno_concordance_index(times, events, times, events, [4, 3, 1, 2])
    assert value == pytest.approx(3 / (3 + 1.5**2))
    value = uno_concordance_index(times, events, times, events, [4, 3, 1, 2], horizon=3)
    assert value == 1


def test_kaplan_meier_curve_without_censoring_is_the_share_of_survivors():
    curve = kaplan_meier_curve([1, 2, 3, 4], [1, 1, 1, 1])
    np.testing.assert_allclose(curve.survival, [0.75, 0.5, 0.25, 0])
    np.testing.assert_allclose(curve.at([0.5, 1, 3.9, 9]), [1, 0.75, 0.25, 0])
    assert curve.median == 2
    assert (curve.low <= curve.survival).all() and (curve.high >= curve.survival).all()


def test_kaplan_meier_curve_is_unknown_after_the_last_censored_sample():
    curve = kaplan_meier_curve([1, 2], [1, 0])
    assert curve.at(2) == 0.5 and np.isnan(curve.at(2.5))
    assert kaplan_meier_curve([1, 2], [0, 0]).median == float("inf")


def test_brier_score_without_censoring_is_the_mean_squared_error():
    times, _, risks = make_samples(1)
    survival = 1 / (1 + np.exp(np.stack([risks, risks + 1], axis=1)))
    at = [5.5, 20.5]
    scores = brier_scores(times, np.ones(120), times, np.ones(120), survival, at)
    expected = np.mean((survival - (times[:, None] > at)) ** 2, axis=0)
    np.testing.assert_allclose(scores, expected)


def test_log_rank_test_of_equal_groups_is_not_significant():
    times, events, _ = make_samples(2)
    groups = np.repeat(["a", "b"], 120)
    test = log_rank_test(np.tile(times, 2), np.tile(events, 2), groups)
    assert test.statistic == pytest.approx(0, abs=1e-9)
    assert test.p_value == pytest.approx(1) and test.degrees_of_freedom == 1


def test_invalid_times_and_events_raise_an_error():
    with pytest.raises(ValueError, match=r"2 negative times, such as -2, .*: \[1, 3\]"):
        check_survival([1, -2, 3, -4], [1, 0, 1, 0])
    with pytest.raises(ValueError, match="all 2 samples are censored"):
        concordance_index([1, 2], [0, 0], [1.0, 2.0])
    with pytest.raises(ValueError, match="`events` must be 1 for an event.*Received: 2"):
        check_survival([1, 2], [1, 2])
    with pytest.raises(ValueError, match=r"`times` has 1 values that are NaN"):
        check_survival([1, float("nan")], [1, 0])
    with pytest.raises(ValueError, match=r"Received: \(2,\) and \(3,\)"):
        check_survival([1, 2], [1, 0, 1])


def test_invalid_predictions_raise_an_error():
    times, events = [1, 2, 3], [1, 1, 0]
    with pytest.raises(ValueError, match=r"`risks` must have the shape of `times`, \(3,\)"):
        concordance_index(times, events, [[1.0], [2.0], [3.0]])
    with pytest.raises(ValueError, match="No pair is comparable"):
        concordance_index([1, 1], [1, 1], [1.0, 2.0])
    with pytest.raises(ValueError, match="no training sample is observed longer.*is 3"):
        uno_concordance_index(times, events, [5, 6], [1, 0], [1.0, 2.0])
    with pytest.raises(ValueError, match="`survival` must be probabilities"):
        brier_scores(times, events, times, events, [[2.0]] * 3, [1.5])
    with pytest.raises(ValueError, match="at least two times"):
        integrated_brier_score(times, events, times, events, [[0.5]] * 3, [1.5])
    with pytest.raises(ValueError, match="at least two groups"):
        log_rank_test(times, events, ["a"] * 3)
