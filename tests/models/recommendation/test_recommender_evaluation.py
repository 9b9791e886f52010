import numpy as np
import pytest

from keras_mmfusion.datasets import Interactions, ItemFeatures
from keras_mmfusion.models.recommendation import PopularityRecommender, evaluate_recommender


def make_interactions(*pairs):
    users, items = np.array(pairs).T
    return Interactions(users, items, np.arange(len(pairs), dtype="float64"))


def adapted_model():
    model = PopularityRecommender()
    items = ItemFeatures(np.array(["a", "b", "c", "new"]), {})
    # "a" has two interactions, "b" and "c" one, "new" has none.
    model.adapt(make_interactions(("x", "a"), ("y", "a"), ("x", "b"), ("z", "c")), items)
    return model


def test_scores_match_a_case_computed_by_hand():
    test = make_interactions(
        ("y", "b"), ("z", "a"), ("z", "new"), ("z", "gone"), ("w", "a"), ("x", "a")
    )
    found = evaluate_recommender(adapted_model(), test, ks=(1, 2))
    metrics, protocol = found.metrics, found.protocol
    # y gets b and c (of equal score, in either order), z gets a, then b.
    assert metrics["recall@1"] in (0.5 * (0 + 1 / 3), 0.5 * (1 + 1 / 3))
    assert metrics["recall@2"] == pytest.approx(0.5 * (1 + 1 / 3))
    assert metrics["cold_recall@1"] == metrics["cold_ndcg@2"] == 1  # The only new item.
    assert protocol["users"] == 2 and protocol["tested_on"] == 4
    assert protocol["users_with_cold_items"] == protocol["cold_items"] == 1
    assert protocol["left_out_of_unknown_users"] == protocol["missed_of_unknown_items"] == 1
    assert [row["user"] for row in found.samples] == ["y", "z"]
    assert found.samples[1]["recommended"] == ["a", "b"]


def test_without_new_items_there_are_no_cold_start_scores():
    metrics = evaluate_recommender(adapted_model(), make_interactions(("y", "b"))).metrics
    assert list(metrics) == ["recall@10", "recall@20", "ndcg@10", "ndcg@20"]
    assert metrics["recall@10"] == 1


def test_no_interaction_to_predict_is_an_error():
    with pytest.raises(ValueError, match="`test` must have an interaction"):
        evaluate_recommender(adapted_model(), make_interactions(("w", "a"), ("x", "b")))
