import math

import pytest

from keras_mmfusion.metrics.captions.bleu import bleu_scores


def test_precision_is_clipped_by_the_maximum_reference_count():
    # The example in the BLEU paper: "the" seven times, twice in the first reference.
    references = {1: ["the cat is on the mat", "there is a cat on the mat"]}
    (bleu_1, bleu_2, _, _), _ = bleu_scores(references, {1: "the the the the the the the"})
    assert bleu_1 == pytest.approx(2 / 7)
    assert bleu_2 < 1e-6


def test_brevity_penalty_uses_the_closest_length_and_the_shorter_in_a_tie():
    references = {1: ["a b c d e f", "a b"]}
    # 4 is equally far from 2 and 6: the shorter one counts, so there is no penalty.
    assert bleu_scores(references, {1: "a b c d"})[0][0] == pytest.approx(1)
    # 5 is closer to 6.
    assert bleu_scores(references, {1: "a b c d e"})[0][0] == pytest.approx(math.exp(1 - 6 / 5))


def test_corpus_score_uses_summed_counts():
    references = {1: ["a"], 2: ["b c d"]}
    corpus, per_image = bleu_scores(references, {1: "a", 2: "x y z"})
    assert corpus[0] == pytest.approx(1 / 4)
    assert per_image[1][0] == pytest.approx(1)
    assert per_image[2][0] == pytest.approx(0)


def test_token_ids_score_like_words():
    words = bleu_scores({1: ["a b c", "a c"]}, {1: "a b x"})
    assert words == bleu_scores({1: [[5, 6, 7], (5, 7)]}, {1: [5, 6, 99]})


def test_empty_candidates_and_references_score_without_warnings():
    corpus, per_image = bleu_scores({1: ["a b"], 2: [""]}, {1: "", 2: ""})
    assert corpus == [0.0] * 4
    assert per_image == {1: [0.0] * 4, 2: [0.0] * 4}


def test_images_without_a_candidate_are_listed():
    with pytest.raises(ValueError, match="lacks these image ids of `references`: 2, 3"):
        bleu_scores({1: ["a"], 2: ["a"], 3: ["b"]}, {1: "a"})
