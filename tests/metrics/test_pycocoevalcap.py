"""Compares BLEU, ROUGE-L and CIDEr of tokens with pycocoevalcap, without Java."""

import os
import pathlib
import random

import numpy as np
import pytest

from keras_mmfusion.metrics import bleu_scores, cider_d_score, rouge_l_score

pytestmark = pytest.mark.peers


def assert_equal_to_pycocoevalcap(references, candidates):
    pytest.importorskip("pycocoevalcap")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    results = {image_id: [caption] for image_id, caption in candidates.items()}
    close = {"rtol": 0, "atol": 1e-9}

    expected, expected_each = Bleu(4).compute_score(references, results, verbose=0)
    corpus, each = bleu_scores(references, candidates)
    np.testing.assert_allclose(corpus, expected, **close)
    np.testing.assert_allclose(list(each.values()), np.transpose(expected_each), **close)
    for scorer, score in ((Rouge, rouge_l_score), (Cider, cider_d_score)):
        expected, expected_each = scorer().compute_score(references, results)
        corpus, each = score(references, candidates)
        np.testing.assert_allclose(corpus, expected, **close)
        np.testing.assert_allclose(list(each.values()), expected_each, **close)


@pytest.mark.parametrize(
    ("references", "candidates"),
    [
        ({1: ["a dog runs"]}, {1: "a dog runs"}),
        ({1: ["a dog runs"]}, {1: ""}),
        ({1: ["a dog", "a"], 2: ["a cat"]}, {1: "", 2: ""}),
        ({i: ["a dog runs"] * 2 for i in range(5)}, dict.fromkeys(range(5), "a dog runs")),
        ({1: ["b b b b b"], 2: ["b c", "c b c b"]}, {1: "b " * 9 + "b", 2: "c c c b b b"}),
        ({1: ["a", "", "b c"], 2: ["d e f g h"]}, {1: "x", 2: "d e f g h"}),
        ({1: ["a\u00a0b c", "é 中 文"], 2: ["a  b"]}, {1: "a\u00a0b  c", 2: "b a"}),
    ],
)
def test_hostile_captions(references, candidates):
    assert_equal_to_pycocoevalcap(references, candidates)


@pytest.mark.parametrize("seed", range(5))
def test_scores_of_random_captions_equal_pycocoevalcap(seed):
    rng = random.Random(seed)

    def caption():
        return " ".join(rng.choice("abcde") for _ in range(rng.randint(0, 12)))

    references = {i: [caption() for _ in range(rng.randint(1, 6))] for i in range(40)}
    references[0].append("a b")  # pycocoevalcap fails if no image has a token.
    assert_equal_to_pycocoevalcap(references, {i: caption() for i in references})


@pytest.mark.shared_data
def test_scores_of_flickr8k_equal_pycocoevalcap():
    folder = os.environ.get("KERAS_MMFUSION_TEST_DATA")
    if not folder:
        pytest.skip("set KERAS_MMFUSION_TEST_DATA to the folder of the data sets")
    text = pathlib.Path(folder, "flickr8k", "Flickr8k.token.txt").read_text(encoding="utf-8")
    captions = {}
    for line in text.splitlines()[:5000]:
        name, caption = line.split("\t")
        captions.setdefault(name.split("#")[0], []).append(caption.lower())
    references = {name: each[:4] for name, each in captions.items()}
    assert_equal_to_pycocoevalcap(references, {name: each[4] for name, each in captions.items()})
