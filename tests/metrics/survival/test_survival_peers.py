"""Survival metrics equal those of scikit-survival and lifelines."""

import numpy as np
import pytest
from survival_samples import make_samples

from keras_mmfusion.metrics import (
    brier_scores,
    concordance_index,
    integrated_brier_score,
    kaplan_meier_curve,
    log_rank_test,
    uno_concordance_index,
)

pytestmark = pytest.mark.peers
SEEDS = range(4)


def sksurv_target(times, events):
    return np.array(list(zip(events, times, strict=True)), dtype=[("event", "?"), ("time", "f8")])


@pytest.mark.parametrize("seed", SEEDS)
def test_concordance_indices_equal_scikit_survival(seed):
    metrics = pytest.importorskip("sksurv.metrics")
    times, events, risks = make_samples(seed)
    expected = metrics.concordance_index_censored(events, times, risks)[0]
    assert concordance_index(times, events, risks) == pytest.approx(expected, abs=1e-12)
    train_times, train_events, _ = make_samples(seed + 10)
    horizon = min(train_times.max(), times.max()) - 1
    expected = metrics.concordance_index_ipcw(
        sksurv_target(train_times, train_events), sksurv_target(times, events), risks, tau=horizon
    )[0]
    actual = uno_concordance_index(train_times, train_events, times, events, risks, horizon)
    assert actual == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_brier_scores_equal_scikit_survival(seed):
    metrics = pytest.importorskip("sksurv.metrics")
    times, events, risks = make_samples(seed)
    train_times, train_events, _ = make_samples(seed + 10)
    at = np.arange(2.0, min(times.max(), train_times.max()) - 1)
    survival = np.exp(-np.outer(np.exp(risks), at) / 20)
    targets = sksurv_target(train_times, train_events), sksurv_target(times, events)
    ours = train_times, train_events, times, events, survival, at
    expected = metrics.brier_score(*targets, survival, at)[1]
    np.testing.assert_allclose(brier_scores(*ours), expected, atol=1e-12)
    expected = metrics.integrated_brier_score(*targets, survival, at)
    assert integrated_brier_score(*ours) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_kaplan_meier_curve_equals_scikit_survival_and_lifelines(seed):
    nonparametric = pytest.importorskip("sksurv.nonparametric")
    times, events, _ = make_samples(seed)
    curve = kaplan_meier_curve(times, events)
    at, survival, (low, high) = nonparametric.kaplan_meier_estimator(
        events, times, conf_type="log-log"
    )
    for actual, expected in zip(curve[:4], (at, survival, low, high), strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-9)
    lifelines = pytest.importorskip("lifelines")
    fitter = lifelines.KaplanMeierFitter().fit(times, events)
    expected = fitter.survival_function_at_times(at).to_numpy()
    np.testing.assert_allclose(curve.at(at), expected, atol=1e-9)
    assert curve.median == fitter.median_survival_time_


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("num_groups", [2, 3, 4])
def test_log_rank_test_equals_lifelines(seed, num_groups):
    statistics = pytest.importorskip("lifelines.statistics")
    times, events, risks = make_samples(seed)
    groups = np.digitize(risks, np.quantile(risks, np.arange(1, num_groups) / num_groups))
    test = log_rank_test(times, events, groups)
    expected = statistics.multivariate_logrank_test(times, groups, events)
    assert test.statistic == pytest.approx(expected.test_statistic, rel=1e-9)
    assert test.p_value == pytest.approx(expected.p_value, rel=1e-6)
