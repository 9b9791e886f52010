import numpy as np
import pytest

from keras_mmfusion.metrics import average_precision, link_scores, roc_auc


def make_scores(seed, samples=60, distinct=12):
    """Labels and scores with ties."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=samples)
    return labels, rng.integers(distinct, size=samples) / distinct + 0.2 * labels


@pytest.mark.parametrize("seed", range(5))
def test_auc_is_the_share_of_ordered_pairs(seed):
    labels, scores = make_scores(seed)
    difference = scores[labels == 1][:, None] - scores[labels == 0]
    expected = np.mean((difference > 0) + (difference == 0) / 2)
    assert roc_auc(labels, scores) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_sums_over_thresholds(seed):
    labels, scores = make_scores(seed)
    expected, last = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        chosen = labels[scores >= threshold]
        recall = chosen.sum() / labels.sum()
        expected += (recall - last) * chosen.mean()
        last = recall
    assert average_precision(labels, scores) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_those_of_scikit_learn(seed):
    metrics = pytest.importorskip("sklearn.metrics")
    labels, scores = make_scores(seed)
    assert roc_auc(labels, scores) == pytest.approx(metrics.roc_auc_score(labels, scores))
    expected = metrics.average_precision_score(labels, scores)
    assert average_precision(labels, scores) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [0.1], "must have the same shape"),
        ([1, 1], [0.1, 0.2], r"samples of both classes. Received: \[1\]"),
        ([1, 2], [0.1, 0.2], "must be 0 or 1"),
        ([0, 1], [0.1, np.nan], "`scores` has 1 values that are NaN"),
    ],
)
def test_invalid_scores_are_rejected(labels, scores, message):
    for score in (roc_auc, average_precision):
        with pytest.raises(ValueError, match=message):
            score(labels, scores)


def test_ranks_among_the_negatives_of_each_link():
    rng = np.random.default_rng(0)
    positives, negatives = rng.normal(size=30) + 1, rng.normal(size=(30, 20))
    ranks = [1 + sum(row > given) for given, row in zip(positives, negatives, strict=True)]
    scores = link_scores(positives, negatives, hits=(1, 5))
    assert scores["mrr"] == pytest.approx(np.mean([1 / rank for rank in ranks]))
    assert scores["hits_at_1"] == np.mean([rank == 1 for rank in ranks])
    assert scores["hits_at_5"] == np.mean([rank <= 5 for rank in ranks])
    labels = np.repeat([1, 0], [30, 600])
    expected = roc_auc(labels, np.concatenate([positives, negatives.ravel()]))
    assert scores["auc"] == expected


def test_equal_scores_give_the_mean_rank():
    scores = link_scores(np.zeros(4), np.zeros((4, 9)), hits=(1, 5, 6))
    assert scores["auc"] == 0.5
    assert scores["mrr"] == pytest.approx(1 / 5.5)
    assert [scores[f"hits_at_{k}"] for k in (1, 5, 6)] == [0, 0, 1]


def test_invalid_shapes_are_rejected():
    for shape in ((3,), (2, 4), (3, 0)):
        with pytest.raises(ValueError, match=r"`negatives` \(links, negatives\)"):
            link_scores(np.zeros(3), np.zeros(shape))
    with pytest.raises(ValueError, match="`hits` must be a positive integer"):
        link_scores([1.0], [[0.0]], hits=(0,))
