import itertools

import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.models.captioning.decoding.beam_search import beam_search
from keras_mmfusion.models.captioning.decoding.decoding_settings import (
    DecodingSettings,
    SpecialTokens,
)

PAD, START, END, BLOCKED, WORDS = 0, 1, 2, 3, (4, 5, 6)
SPECIAL = SpecialTokens(start=START, end=END, pad=PAD, blocked=(BLOCKED,))
SIZE = 7
LENGTH = 4
# Logits for each prefix, so that the next token depends on all previous tokens.
ROWS = 3
TABLE = np.random.default_rng(0).normal(0, 2, (ROWS, SIZE**LENGTH, SIZE)).astype("float32")


def prefix_code(words):
    return sum((word + 1) * SIZE**index for index, word in enumerate(words)) % SIZE**LENGTH


def table_step(tokens, index, ancestors, cache):
    positions = ops.arange(LENGTH, dtype="int32")
    powers = ops.convert_to_tensor([SIZE**i for i in range(LENGTH)], dtype="int32")
    codes = (tokens[:, :, 1:] + 1) * powers
    code = ops.sum(ops.where(positions < index, codes, 0), axis=-1) % SIZE**LENGTH
    rows = ops.reshape(ops.arange(tokens.shape[0], dtype="int32"), (-1, 1)) * SIZE**LENGTH
    return ops.take(TABLE.reshape(-1, SIZE), rows + code, axis=0), cache


def log_softmax(logits):
    logits = np.float64(logits)
    return logits - np.log(np.exp(logits).sum())


def repeats(words, n):
    ngrams = [words[i : i + n] for i in range(len(words) - n + 1)]
    return len(set(ngrams)) < len(ngrams)


def all_captions(row, settings):
    """Enumerates all possible captions with their scores, best first."""
    captions = []
    for count in range(settings.min_length, settings.max_length + 1):
        for words in itertools.product(WORDS, repeat=count):
            if settings.no_repeat_ngram and repeats(words, settings.no_repeat_ngram):
                continue
            tokens = (*words, END)[: settings.max_length]
            log_prob = sum(
                log_softmax(TABLE[row, prefix_code(tokens[:i])])[token]
                for i, token in enumerate(tokens)
            )
            score = log_prob / len(tokens) ** settings.length_penalty
            captions.append((score, tokens + (PAD,) * (settings.max_length - len(tokens))))
    return sorted(captions, reverse=True)


def search(settings, step=table_step):
    tokens, scores = beam_search(step, (), ROWS, settings, SPECIAL)
    return ops.convert_to_numpy(tokens), ops.convert_to_numpy(scores)


@pytest.mark.parametrize("length_penalty", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("rules", [{}, {"min_length": 3}, {"no_repeat_ngram": 1}])
def test_wide_beam_search_equals_exhaustive_search(length_penalty, rules):
    settings = DecodingSettings(LENGTH, beams=130, length_penalty=length_penalty, **rules)
    tokens, scores = search(settings)
    for row in range(ROWS):
        expected = all_captions(row, settings)
        count = min(len(expected), 130)
        assert [tuple(each) for each in tokens[row, :count]] == [each for _, each in expected]
        np.testing.assert_allclose(scores[row, :count], [s for s, _ in expected], rtol=1e-4)
        # There are no more captions: unused beams have a masked score.
        assert (scores[row, count:] < -1e6).all()


@pytest.mark.parametrize("beams", [1, 2, 3])
@pytest.mark.parametrize("no_repeat_ngram", [0, 2])
def test_narrow_beam_search_follows_constraints_and_scores_correctly(beams, no_repeat_ngram):
    settings = DecodingSettings(LENGTH, beams=beams, no_repeat_ngram=no_repeat_ngram)
    tokens, scores = search(settings)
    for row in range(ROWS):
        every = {each: score for score, each in all_captions(row, settings)}
        found = [tuple(each) for each in tokens[row]]
        assert len(set(found)) == beams
        np.testing.assert_allclose(scores[row], [every[each] for each in found], rtol=1e-4)
        assert list(scores[row]) == sorted(scores[row], reverse=True)


def test_one_beam_equals_greedy_search():
    tokens, _ = search(DecodingSettings(LENGTH, beams=1))
    for row in range(ROWS):
        words = []
        while len(words) < LENGTH and END not in words:
            logits = TABLE[row, prefix_code(words)].copy()
            logits[[PAD, START, BLOCKED]] = -np.inf
            logits[END] = logits[END] if words else -np.inf
            words.append(int(logits.argmax()))
        assert list(tokens[row, 0, : len(words)]) == words


def test_length_penalty_favors_longer_captions():
    def mean_length(length_penalty):
        settings = DecodingSettings(LENGTH, beams=130, length_penalty=length_penalty)
        return (search(settings)[0][:, 0] != PAD).sum(axis=-1).mean()

    assert mean_length(3.0) > mean_length(0.0)


@pytest.mark.skipif(keras.config.backend() == "jax", reason="JAX traces the step only once")
def test_beam_search_stops_when_all_rows_are_done():
    steps = []

    def step(tokens, index, ancestors, cache):
        steps.append(int(index))
        # "4, end" has a probability of nearly 1.
        likely = np.full((2, SIZE), -30.0, "float32")
        likely[0, 4] = likely[1, END] = 0.0
        logits = ops.take(likely, ops.minimum(index, 1), axis=0)
        return ops.broadcast_to(logits, (*tokens.shape[:2], SIZE)), cache

    settings = DecodingSettings(max_length=50, beams=2, length_penalty=0.0)
    tokens, _ = search(settings, step)
    assert list(tokens[0, 0, :3]) == [4, END, PAD]
    assert max(steps) < 10
