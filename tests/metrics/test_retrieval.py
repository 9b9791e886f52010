import numpy as np
import pytest

from keras_mmfusion.metrics import best_ranks, recall_at_k, retrieval_scores

RNG = np.random.default_rng(0)
SIMILARITIES = RNG.normal(size=(12, 30))
OWNERS = np.concatenate([np.arange(12), RNG.integers(0, 12, size=18)])


def test_ranks_are_those_of_a_sorted_list():
    relevant = OWNERS[None] == np.arange(12)[:, None]
    for query, rank in enumerate(best_ranks(SIMILARITIES, relevant)):
        ranked = np.argsort(-SIMILARITIES[query])
        assert rank == 1 + next(i for i, item in enumerate(ranked) if OWNERS[item] == query)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_recalls_of_texts_are_the_plain_ones(k):
    scores = retrieval_scores(SIMILARITIES, OWNERS)
    ranked = np.argsort(-SIMILARITIES, axis=0).T.tolist()
    expected = recall_at_k([{owner} for owner in OWNERS.tolist()], ranked, k)
    assert scores[f"text_to_image_recall_at_{k}"] == pytest.approx(expected)


def test_an_image_is_found_by_the_best_of_its_texts():
    scores = retrieval_scores([[0.1, 0.9, 0.5], [0.3, 0.2, 0.4]], [0, 0, 1])
    assert scores["image_to_text_recall_at_1"] == 1
    assert scores["text_to_image_recall_at_1"] == pytest.approx(1 / 3)
    assert scores["text_to_image_median_rank"] == 2


def test_a_model_that_scores_all_alike_finds_nothing():
    scores = retrieval_scores(np.zeros((20, 20)), np.arange(20))
    assert scores["image_to_text_recall_at_10"] == 0
    assert scores["image_to_text_median_rank"] == 20


def test_names():
    assert "sound_to_video_recall_at_5" in retrieval_scores(np.eye(2), [0, 1], ("sound", "video"))


@pytest.mark.parametrize(
    ("similarities", "relevant", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), "must have one shape"),
        (np.array([[0.0, np.nan]]), np.ones((1, 2)), "has 1 values that are NaN"),
        (np.zeros((2, 2)), np.array([[1, 0], [0, 0]]), r"nothing for these queries: \[1\]"),
    ],
)
def test_bad_input(similarities, relevant, message):
    with pytest.raises(ValueError, match=message):
        best_ranks(similarities, relevant)


def test_one_string_is_not_two_names():
    with pytest.raises(ValueError, match="`names` must be two strings"):
        retrieval_scores(np.eye(2), [0, 1], names="ab")
    with pytest.raises(ValueError, match=r"must have the shape \(images, texts\)"):
        retrieval_scores("ab", [0, 1])
