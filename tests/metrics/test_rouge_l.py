import pytest

from keras_mmfusion.metrics.captions.rouge_l import rouge_l_score


def compute_f_measure(precision, recall):
    return (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)


def test_common_subsequence_skips_words_and_keeps_their_order():
    # "a c e" has 3 of 5 and of 4 words; "e a" is in another order.
    mean, per_image = rouge_l_score({1: ["a b c d e"]}, {1: "a c e a"})
    assert mean == per_image[1] == pytest.approx(compute_f_measure(3 / 4, 3 / 5))


def test_precision_and_recall_may_come_from_different_references():
    references = {1: ["a b c x y z", "a b"]}
    assert rouge_l_score(references, {1: "a b c"})[0] == pytest.approx(compute_f_measure(1, 1))


def test_long_captions_of_repeated_words():
    assert rouge_l_score({1: ["a " * 99 + "a"]}, {1: "a " * 199 + "a"})[0] == pytest.approx(
        compute_f_measure(0.5, 1)
    )


def test_score_is_the_mean_over_images():
    mean, per_image = rouge_l_score({1: ["a"], 2: ["b"]}, {1: "a", 2: "c"})
    assert per_image == {1: pytest.approx(1), 2: 0.0}
    assert mean == pytest.approx(0.5)


def test_scores_of_token_ids_and_empty_captions():
    assert rouge_l_score({1: [[1, 2, 3]]}, {1: [1, 3]}) == rouge_l_score({1: ["a b c"]}, {1: "a c"})
    assert rouge_l_score({1: ["a"]}, {1: ""})[0] == 0.0
    assert rouge_l_score({1: [[1]]}, {1: []})[0] == 0.0
    # Two empty captions share an empty token, as in coco-caption.
    assert rouge_l_score({1: [""]}, {1: ""})[0] == rouge_l_score({1: [[]]}, {1: []})[0] == 1.0
