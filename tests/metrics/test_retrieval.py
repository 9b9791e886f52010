import numpy as np
import pytest

from keras_mmfusion.metrics import best_ranks, recall_at_k, retrieval_scores

RNG = np.random.default_rng(0)
SIMILARITIES = RNG.normal(size=(12, 30))
OWNERS = np.concatenate([np.arange(12), RNG.integers(0, 12, size=18)])


def test_best_ranks_equal_positions_in_a_sorted_list():
    relevant = OWNERS[None] == np.arange(12)[:, None]
    for query, rank in enumerate(best_ranks(SIMILARITIES, relevant)):
        ranked = np.argsort(-SIMILARITIES[query])
        assert rank == 1 + next(i for i, item in enumerate(ranked) if OWNERS[item] == query)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_text_to_image_recall_equals_recall_at_k(k):
    scores = retrieval_scores(SIMILARITIES, OWNERS)
    ranked = np.argsort(-SIMILARITIES, axis=0).T.tolist()
    expected = recall_at_k([{owner} for owner in OWNERS.tolist()], ranked, k)
    assert scores[f"text_to_image_recall_at_{k}"] == pytest.approx(expected)


def test_best_ranked_text_of_an_image_counts():
    scores = retrieval_scores([[0.1, 0.9, 0.5], [0.3, 0.2, 0.4]], [0, 0, 1])
    assert scores["image_to_text_recall_at_1"] == 1
    assert scores["text_to_image_recall_at_1"] == pytest.approx(1 / 3)
    assert scores["text_to_image_median_rank"] == 2


def test_constant_scores_get_the_worst_ranks():
    scores = retrieval_scores(np.zeros((20, 20)), np.arange(20))
    assert scores["image_to_text_recall_at_10"] == 0
    assert scores["image_to_text_median_rank"] == 20


def test_names_set_the_keys():
    assert "sound_to_video_recall_at_5" in retrieval_scores(np.eye(2), [0, 1], ("sound", "video"))


@pytest.mark.parametrize(
    ("similarities", "relevant", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), "must have the same shape"),
        (np.array([[0.0, np.nan]]), np.ones((1, 2)), "has 1 values that are NaN"),
        (np.zeros((2, 2)), np.array([[1, 0], [0, 0]]), r"no candidate for these queries: \[1\]"),
    ],
)
def test_invalid_inputs_raise_an_error(similarities, relevant, message):
    with pytest.raises(ValueError, match=message):
        best_ranks(similarities, relevant)


def test_invalid_names_and_similarities_raise_an_error():
    with pytest.raises(ValueError, match="`names` must be two strings"):
        retrieval_scores(np.eye(2), [0, 1], names="ab")
    with pytest.raises(ValueError, match=r"must have the shape \(images, texts\)"):
        retrieval_scores("ab", [0, 1])
