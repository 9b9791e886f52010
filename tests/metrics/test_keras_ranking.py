import keras
import numpy as np
import pytest

from keras_mmfusion.metrics import NDCGAtK, RecallAtK, ndcg_at_k, recall_at_k

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(9, 6)).astype("float32")
RELEVANT = RNG.integers(0, 2, size=(9, 6))
RELEVANT[:, 0] = 1


@pytest.mark.parametrize("k", [1, 3, 20])
@pytest.mark.parametrize(("metric", "score"), [(RecallAtK, recall_at_k), (NDCGAtK, ndcg_at_k)])
def test_metric_equals_the_numpy_score(metric, score, k):
    metric = metric(k)
    for rows in (slice(4), slice(4, 9)):
        metric.update_state(RELEVANT[rows], SCORES[rows])
    relevant = [set(np.flatnonzero(row)) for row in RELEVANT]
    expected = score(relevant, np.argsort(-SCORES).tolist(), k)
    assert float(metric.result()) == pytest.approx(expected)


def test_sample_weight_and_reset_state():
    metric = RecallAtK(1)
    metric.update_state(np.eye(2), np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([3.0, 1.0]))
    assert float(metric.result()) == pytest.approx(0.75)
    metric.reset_state()
    assert float(metric.result()) == 0


def test_config_round_trip():
    metric = keras.metrics.deserialize(keras.metrics.serialize(RecallAtK(5, name="mine")))
    assert (metric.k, metric.name) == (5, "mine")
    assert RecallAtK(5).name == "recall_at_5"
    assert NDCGAtK(5).name == "ndcg_at_5"


@pytest.mark.parametrize("metric", [RecallAtK, NDCGAtK])
def test_query_without_relevant_candidates_scores_zero(metric):
    metric = metric(2)
    metric.update_state(np.zeros((1, 3)), np.ones((1, 3)))
    assert float(metric.result()) == 0


@pytest.mark.parametrize("k", [0, 1.5, True])
def test_invalid_k_raises_an_error(k):
    with pytest.raises(ValueError, match="RecallAtK: `k` must be a positive integer"):
        RecallAtK(k)
