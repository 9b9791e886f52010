import math

import pytest

from keras_mmfusion.metrics.ranking import ndcg_at_k, recall_at_k


def test_recall_is_a_share_of_the_relevant_items():
    relevant, ranked = [{1, 2}, [3]], [[2, 9, 1], [8, 7, 6]]
    assert recall_at_k(relevant, ranked, 1) == pytest.approx((1 / 2 + 0) / 2)
    assert recall_at_k(relevant, ranked, 3) == pytest.approx((1 + 0) / 2)
    assert recall_at_k(relevant, ranked, 100) == pytest.approx((1 + 0) / 2)


def test_ndcg_discounts_by_place():
    assert ndcg_at_k([{"a"}], [["b", "a", "c"]], 3) == pytest.approx(1 / math.log2(3))
    assert ndcg_at_k([{"a"}], [["b", "a", "c"]], 1) == 0
    best = 1 + 1 / math.log2(3)
    assert ndcg_at_k([{1, 2, 3}], [[1, 9, 2]], 2) == pytest.approx(1 / best)
    assert ndcg_at_k([{1, 2}, {3}], [[2, 1], [3]], 5) == pytest.approx(1)


def test_bad_arguments():
    with pytest.raises(ValueError, match="`k` must be at least 1, an integer. Received: 0"):
        recall_at_k([{1}], [[1]], 0)
    with pytest.raises(ValueError, match=r"no item for these queries: \[1\]"):
        ndcg_at_k([{1}, set()], [[1], [2]], 1)
    with pytest.raises(ValueError, match="not 1 and 2"):
        recall_at_k([{1}], [[1], [2]], 1)
    with pytest.raises(ValueError, match=r"item twice for these queries: \[0\]"):
        recall_at_k([{1}], [[1, 1]], 1)


@pytest.mark.parametrize("score", [recall_at_k, ndcg_at_k])
@pytest.mark.parametrize(
    ("relevant", "ranked"), [("12", "12"), (["12"], [["12"]]), ([["12"]], ["12"])]
)
def test_a_bare_string_is_no_list_of_items(score, relevant, ranked):
    with pytest.raises(ValueError, match="even of one item. Received: "):
        score(relevant, ranked, k=1)
