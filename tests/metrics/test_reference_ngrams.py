import numpy as np
import pytest

from keras_mmfusion.metrics.captions.reference_ngrams import ReferenceNgrams

IMAGES = [["a b a b", "b"], ["", "c a b"]]


def list_ngrams(caption, n):
    words = caption.split()
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_find_returns_shared_ngrams_and_their_references(n):
    ngrams = ReferenceNgrams(IMAGES)
    candidates = ["a b a b x a b", "", "c a b", "x x x x x"]
    for image in (0, 1):
        lengths, counts = ngrams.encode(candidates)
        assert lengths.tolist() == [7, 0, 3, 5]
        order = counts[n - 1]
        for row, candidate in enumerate(candidates):
            expected = list_ngrams(candidate, n)
            counts_of_row = sorted(order.count[order.caption == row])
            assert counts_of_row == sorted(map(expected.count, set(expected)))
        found, pair = ngrams.find(n, np.full(len(order.ngram), image), order.ngram)
        shared = {
            (row, gram)
            for row, candidate in enumerate(candidates)
            for gram in list_ngrams(candidate, n)
            if any(gram in list_ngrams(reference, n) for reference in IMAGES[image])
        }
        assert found.sum() == len(shared)
        starts = ngrams.starts[n - 1]
        references = sum(
            any(gram == g for g in list_ngrams(reference, n))
            for _, gram in shared
            for reference in IMAGES[image]
        )
        assert (starts[pair + 1] - starts[pair]).sum() == references


def test_count_images_is_the_document_frequency():
    ngrams = ReferenceNgrams(IMAGES)
    # Words are numbered in order of appearance: a, b, c.
    assert ngrams.count_images(1).tolist() == [2, 2, 1]
    assert ngrams.sizes == [3, 3, 3, 1]


def test_references_without_tokens_have_no_ngrams():
    ngrams = ReferenceNgrams([[""], [[]]])
    assert ngrams.sizes == [0, 0, 0, 0]
    lengths, counts = ngrams.encode(["a b"])
    assert lengths.tolist() == [2]
    assert not ngrams.find(1, np.zeros(2, int), counts[0].ngram)[0].any()
    assert ngrams.count_images(2).tolist() == []


def test_ngrams_with_new_words_are_not_found():
    # With two known words, the key of (second word, new word) equals (third prefix, first word).
    ngrams = ReferenceNgrams([["a b a a"]], order=2)
    _, counts = ngrams.encode(["b x", "a y"])
    assert not ngrams.find(2, np.zeros(2, int), counts[1].ngram)[0].any()
