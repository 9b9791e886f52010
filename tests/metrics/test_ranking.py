import math

import pytest

from keras_mmfusion.metrics.ranking import ndcg_at_k, recall_at_k


def test_recall_is_the_share_of_relevant_items_in_the_top_k():
    relevant, ranked = [{1, 2}, [3]], [[2, 9, 1], [8, 7, 6]]
    assert recall_at_k(relevant, ranked, 1) == pytest.approx((1 / 2 + 0) / 2)
    assert recall_at_k(relevant, ranked, 3) == pytest.approx((1 + 0) / 2)
    assert recall_at_k(relevant, ranked, 100) == pytest.approx((1 + 0) / 2)


def test_ndcg_discounts_by_rank():
    assert ndcg_at_k([{"a"}], [["b", "a", "c"]], 3) == pytest.approx(1 / math.log2(3))
    assert ndcg_at_k([{"a"}], [["b", "a", "c"]], 1) == 0
    ideal = 1 + 1 / math.log2(3)
    assert ndcg_at_k([{1, 2, 3}], [[1, 9, 2]], 2) == pytest.approx(1 / ideal)
    assert ndcg_at_k([{1, 2}, {3}], [[2, 1], [3]], 5) == pytest.approx(1)


def test_invalid_arguments_raise_an_error():
    with pytest.raises(ValueError, match="`k` must be a positive integer. Received: 0"):
        recall_at_k([{1}], [[1]], 0)
    with pytest.raises(ValueError, match=r"no item for these queries: \[1\]"):
        ndcg_at_k([{1}, set()], [[1], [2]], 1)
    with pytest.raises(ValueError, match="not 1 and 2"):
        recall_at_k([{1}], [[1], [2]], 1)
    with pytest.raises(ValueError, match=r"repeated items for these queries: \[0\]"):
        recall_at_k([{1}], [[1, 1]], 1)


@pytest.mark.parametrize("score", [recall_at_k, ndcg_at_k])
@pytest.mark.parametrize(
    ("relevant", "ranked"), [("12", "12"), (["12"], [["12"]]), ([["12"]], ["12"])]
)
def test_string_instead_of_a_list_of_items_raises_an_error(score, relevant, ranked):
    with pytest.raises(ValueError, match="even for one item. Received: "):
        score(relevant, ranked, k=1)
