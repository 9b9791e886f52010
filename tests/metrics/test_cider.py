import math
import sys

import numpy as np
import pytest

from keras_mmfusion.metrics.cider import CiderD, PlainCider, cider_d_score, plain_cider_score

REFERENCES = {"x": ["a dog runs", "the dog is running"], "y": ["a cat"], "z": ["two men sit"]}


def vectors(caption, n, rarity):
    words = caption.split()
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return {gram: grams.count(gram) * rarity(gram) for gram in grams}


def cider_by_hand(references, image, candidate, clipped):
    """The formula in CiderD's docstring, word for word."""

    def rarity(gram):
        n = len(gram)
        images = sum(
            any(gram in vectors(r, n, lambda g: 1) for r in each) for each in references.values()
        )
        return math.log(len(references)) - math.log(max(1, images))

    total = 0
    for reference in references[image]:
        apart = max(len(candidate.split()) - 1, 0) - max(len(reference.split()) - 1, 0)
        penalty = math.exp(-(apart**2) / (2 * 6**2)) if clipped else 1
        for n in (1, 2, 3, 4):
            ours, theirs = vectors(candidate, n, rarity), vectors(reference, n, rarity)
            dot = sum(
                (min(ours[g], theirs.get(g, 0)) if clipped else ours[g]) * theirs.get(g, 0)
                for g in ours
            )
            norms = math.hypot(*ours.values()) * math.hypot(*theirs.values())
            total += penalty * dot / norms if norms else 0
    return 10 * total / (4 * len(references[image]))


@pytest.mark.parametrize(
    "candidate",
    ["a dog runs", "dog dog dog dog", "", "a", "the unknown word the unknown word", "a cat a cat"],
)
@pytest.mark.parametrize("image", REFERENCES)
@pytest.mark.parametrize(("scorer", "clipped"), [(CiderD, True), (PlainCider, False)])
def test_score_is_the_formula(scorer, clipped, image, candidate):
    expected = cider_by_hand(REFERENCES, image, candidate, clipped)
    score = scorer(REFERENCES).score([image], [candidate])
    np.testing.assert_allclose(score, [expected], rtol=0, atol=1e-12)


def test_clipping_and_length_penalty_tell_the_two_apart():
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


def test_token_ids_score_as_their_words():
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


def test_mean_and_scores_of_images():
    candidates = {"z": "two men sit", "x": "a dog", "y": "a dog"}
    mean, per_image = cider_d_score(REFERENCES, candidates)
    assert list(per_image) == ["x", "y", "z"]
    assert mean == pytest.approx(np.mean(list(per_image.values())))
    assert per_image["z"] == pytest.approx(7.5)  # It has no 4-grams.


def test_unknown_ids_and_unequal_lengths_are_named():
    with pytest.raises(ValueError, match="without references: 'q'"):
        CiderD(REFERENCES).score(["x", "q"], ["a", "b"])
    with pytest.raises(ValueError, match="not 1 and 2"):
        CiderD(REFERENCES).score(["x"], ["a", "b"])


def test_no_keras_is_imported():
    import subprocess

    code = "import sys, keras_mmfusion.metrics as m; m.CiderD; m.coco_caption_scores; "
    code += "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow', 'torch')))"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
