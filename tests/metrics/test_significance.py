import numpy as np
import pytest

from keras_mmfusion.metrics import bleu_scores
from keras_mmfusion.metrics.significance import bootstrap_interval, paired_bootstrap_test


def test_interval_of_a_mean_matches_the_normal_approximation():
    values = np.random.default_rng(5).normal(2.0, 3.0, size=4000)
    interval = bootstrap_interval(values, resamples=2000)
    width = 1.96 * values.std() / np.sqrt(len(values))
    assert interval.value == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - width, abs=0.02)
    assert interval.high == pytest.approx(values.mean() + width, abs=0.02)


def test_interval_has_the_stated_coverage():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        interval = bootstrap_interval(
            rng.exponential(1.0, 60), confidence=0.9, resamples=300, seed=trial
        )
        hits += interval.low <= 1.0 <= interval.high
    assert 160 <= hits <= 195


def test_interval_is_reproducible_and_depends_on_the_seed():
    values = list(np.random.default_rng(1).normal(size=50))
    assert bootstrap_interval(values) == bootstrap_interval(dict(enumerate(values)))
    assert bootstrap_interval(values) != bootstrap_interval(values, seed=1)


def test_corpus_metric_is_computed_for_each_resample():
    references = {1: ["a b c d"], 2: ["e f g h"], 3: ["i j k l"]}
    candidates = {1: "a b c d", 2: "e f x y", 3: "i j k l"}

    def bleu_1(ids):
        drawn = dict(enumerate(ids))
        return bleu_scores(
            {n: references[i] for n, i in drawn.items()},
            {n: candidates[i] for n, i in drawn.items()},
        )[0][0]

    interval = bootstrap_interval([1, 2, 3], bleu_1, resamples=300)
    assert interval.value == pytest.approx(10 / 12)
    assert interval.low == pytest.approx(0.5)
    assert interval.high == pytest.approx(1.0)


def test_p_values_of_equal_and_different_systems():
    rng = np.random.default_rng(3)
    first = rng.normal(size=200)
    noise = rng.normal(size=200)
    same = paired_bootstrap_test(first, first)
    assert same == (0.0, 0.0, 0.0, 1.0)
    assert paired_bootstrap_test(first, first + 0.01 * (noise - noise.mean())).p_value > 0.5
    better = paired_bootstrap_test(first, first + 0.5 + 0.1 * noise)
    assert better.p_value == pytest.approx(2 / 1001)
    assert better.low > 0.4
    worse = paired_bootstrap_test(first + 0.5, first)
    assert worse.difference == pytest.approx(-0.5)
    assert worse.high < 0


def test_p_values_are_uniform_without_a_difference():
    rng = np.random.default_rng(7)
    low = sum(
        paired_bootstrap_test(rng.normal(size=80), rng.normal(size=80), resamples=200).p_value < 0.1
        for _ in range(300)
    )
    assert 15 <= low <= 50


def test_dicts_are_paired_by_id():
    first = {1: 0.0, 2: 1.0}
    assert paired_bootstrap_test(first, {2: 1.0, 1: 0.0}).difference == 0
    with pytest.raises(ValueError, match=r"in only one: \['2', '3'\]"):
        paired_bootstrap_test(first, {1: 0.0, 3: 1.0})
    with pytest.raises(ValueError, match="not 1 and 2"):
        paired_bootstrap_test([1.0], [1.0, 2.0])


def test_custom_statistic_is_applied_to_both_systems():
    first, second = [1.0, 2.0, 9.0], [3.0, 2.0, 1.0]
    result = paired_bootstrap_test(first, second, statistic=max, resamples=50)
    assert result.difference == 3.0 - 9.0
    mean = paired_bootstrap_test(first, second, statistic=np.mean, resamples=200)
    assert mean == pytest.approx(paired_bootstrap_test(first, second, resamples=200))


def test_invalid_arguments_raise_an_error():
    with pytest.raises(ValueError, match="at least one sample"):
        bootstrap_interval([])
    with pytest.raises(ValueError, match="between 0 and 1, exclusive. Received: 95"):
        bootstrap_interval([1.0], confidence=95)


@pytest.mark.parametrize("wrong", ["123", b"123", 0.5, None, ["1", "2"], {1: None}, [[1, 2]]])
def test_invalid_scores_raise_an_error(wrong):
    with pytest.raises(ValueError, match="`scores` must be"):
        bootstrap_interval(wrong)
    with pytest.raises(ValueError, match="`second` must be"):
        paired_bootstrap_test([1, 2], wrong)


def test_dict_and_list_cannot_be_compared():
    with pytest.raises(ValueError, match="must have the same ids"):
        paired_bootstrap_test({"a": 1.0, "b": 2.0}, [1.0, 2.0])
