import math
import sys

import numpy as np
import pytest

from keras_mmfusion.metrics.captions.cider import (
    CiderD,
    PlainCider,
    cider_d_score,
    plain_cider_score,
)

REFERENCES = {"x": ["a dog runs", "the dog is running"], "y": ["a cat"], "z": ["two men sit"]}


def make_vectors(caption, n, idf):
    words = caption.split()
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return {gram: grams.count(gram) * idf(gram) for gram in grams}


def compute_reference_cider(references, image, candidate, clipped):
    """The formula in the docstring of `CiderD`, written with loops."""

    def idf(gram):
        n = len(gram)
        images = sum(
            any(gram in make_vectors(r, n, lambda g: 1) for r in each)
            for each in references.values()
        )
        return math.log(len(references)) - math.log(max(1, images))

    total = 0
    for reference in references[image]:
        difference = max(len(candidate.split()) - 1, 0) - max(len(reference.split()) - 1, 0)
        penalty = math.exp(-(difference**2) / (2 * 6**2)) if clipped else 1
        for n in (1, 2, 3, 4):
            g_c, g_j = make_vectors(candidate, n, idf), make_vectors(reference, n, idf)
            dot = sum(
                (min(g_c[gram], g_j.get(gram, 0)) if clipped else g_c[gram]) * g_j.get(gram, 0)
                for gram in g_c
            )
            norms = math.hypot(*g_c.values()) * math.hypot(*g_j.values())
            total += penalty * dot / norms if norms else 0
    return 10 * total / (4 * len(references[image]))


@pytest.mark.parametrize(
    "candidate",
    ["a dog runs", "dog dog dog dog", "", "a", "the unknown word the unknown word", "a cat a cat"],
)
@pytest.mark.parametrize("image", REFERENCES)
@pytest.mark.parametrize(("scorer", "clipped"), [(CiderD, True), (PlainCider, False)])
def test_score_matches_the_formula(scorer, clipped, image, candidate):
    expected = compute_reference_cider(REFERENCES, image, candidate, clipped)
    score = scorer(REFERENCES).score([image], [candidate])
    np.testing.assert_allclose(score, [expected], rtol=0, atol=1e-12)


def test_clipping_and_length_penalty_lower_the_score_of_repetitions():
    repeated = "dog dog dog dog dog dog"
    assert CiderD(REFERENCES).score(["x"], [repeated]) < PlainCider(REFERENCES).score(
        ["x"], [repeated]
    )


def test_one_scorer_scores_many_batches_with_ids_in_any_order():
    scorer = CiderD(REFERENCES)
    ids = ["z", "x", "x", "y"]
    captions = ["two men", "a dog", "the dog", "a cat"]
    together = scorer.score(ids, captions)
    alone = [scorer.score([i], [c])[0] for i, c in zip(ids, captions, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-12)
    assert together.dtype == np.float64
    assert scorer.score([], []).shape == (0,)


def test_token_ids_score_like_words():
    words = sorted({word for each in REFERENCES.values() for c in each for word in c.split()})
    numbers = {word: number for number, word in enumerate(words)}

    def ids(caption):
        return [numbers[word] for word in caption.split()]

    scorer = CiderD({i: [ids(c) for c in each] for i, each in REFERENCES.items()})
    captions = ["a dog", "a cat is sit", "two two men"]
    np.testing.assert_array_equal(
        scorer.score(["x", "y", "z"], [np.array(ids(c)) for c in captions]),
        CiderD(REFERENCES).score(["x", "y", "z"], captions),
    )


def test_identical_images_score_zero():
    references = {i: ["a dog runs", "a dog runs"] for i in range(4)}
    assert cider_d_score(references, dict.fromkeys(references, "a dog runs"))[0] == 0
    assert plain_cider_score(references, dict.fromkeys(references, "a dog runs"))[0] == 0


def test_mean_and_per_image_scores():
    candidates = {"z": "two men sit", "x": "a dog", "y": "a dog"}
    mean, per_image = cider_d_score(REFERENCES, candidates)
    assert list(per_image) == ["x", "y", "z"]
    assert mean == pytest.approx(np.mean(list(per_image.values())))
    assert per_image["z"] == pytest.approx(7.5)  # It has no 4-grams.


def test_unknown_ids_and_unequal_lengths_raise_an_error():
    with pytest.raises(ValueError, match="without references: 'q'"):
        CiderD(REFERENCES).score(["x", "q"], ["a", "b"])
    with pytest.raises(ValueError, match="not 1 and 2"):
        CiderD(REFERENCES).score(["x"], ["a", "b"])


def test_caption_scores_do_not_import_keras():
    import subprocess

    code = "import sys, keras_mmfusion.metrics as m; m.CiderD; m.coco_caption_scores; "
    code += "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow', 'torch')))"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
