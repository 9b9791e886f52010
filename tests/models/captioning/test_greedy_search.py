import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.models.captioning.decoding.beam_search import beam_search
from keras_mmfusion.models.captioning.decoding.decoding_settings import (
    DecodingSettings,
    SpecialTokens,
)
from keras_mmfusion.models.captioning.decoding.greedy_search import greedy_search
from keras_mmfusion.models.captioning.decoding.prompts import pack_prompts

SPECIAL = SpecialTokens(start=1, end=2, pad=0, blocked=(3,))
ROWS, SIZE, LENGTH = 40, 7, 5
TABLE = np.random.default_rng(0).normal(0, 2, (ROWS, LENGTH, SIZE, SIZE)).astype("float32")


def table_step(tokens, index, ancestors, cache):
    """Returns logits that depend on the row, the position and the previous token."""
    newest = ops.take(tokens, index, axis=-1)
    rows = ops.reshape(ops.arange(ROWS, dtype="int32"), (-1, 1))
    return ops.take(TABLE.reshape(-1, SIZE), (rows * LENGTH + index) * SIZE + newest, axis=0), cache


@pytest.mark.parametrize(
    "rules", [{}, {"min_length": 3}, {"no_repeat_ngram": 1}, {"length_penalty": 2.0}]
)
def test_greedy_search_equals_beam_search_with_one_beam(rules):
    settings = DecodingSettings(LENGTH, beams=1, **rules)
    found, expected = (
        [ops.convert_to_numpy(each) for each in search(table_step, (), ROWS, settings, SPECIAL)]
        for search in (greedy_search, beam_search)
    )
    assert len({int((row != 0).sum()) for row in found[0]}) > 1  # captions of several lengths
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-5)


@pytest.mark.skipif(keras.config.backend() == "jax", reason="JAX traces the step only once")
def test_greedy_search_stops_when_all_rows_have_ended():
    steps = []

    def step(tokens, index, ancestors, cache):
        steps.append(int(index))
        logits, cache = table_step(tokens, index, ancestors, cache)
        return ops.where(ops.arange(SIZE) == SPECIAL.end, 99.0, logits), cache

    tokens, _ = greedy_search(step, (), ROWS, DecodingSettings(LENGTH, beams=1), SPECIAL)
    assert (ops.convert_to_numpy(tokens)[:, 0, 1] == SPECIAL.end).all()
    assert steps == [0, 1]


def test_the_end_token_may_also_be_the_start_and_pad_token():
    settings = DecodingSettings(LENGTH, beams=3)
    distinct = SpecialTokens(start=2, end=2, pad=0, suppress_start_and_pad=False)
    equal = SpecialTokens(start=2, end=2, pad=2)
    for search in (greedy_search, beam_search):
        tokens, scores = map(ops.convert_to_numpy, search(table_step, (), ROWS, settings, distinct))
        mask = ops.convert_to_numpy(distinct.mask_tokens(tokens))
        assert len(set(mask.sum(axis=-1).ravel())) > 2  # captions of several lengths
        found, found_scores = map(
            ops.convert_to_numpy, search(table_step, (), ROWS, settings, equal)
        )
        np.testing.assert_array_equal(found, np.where(mask, tokens, 2))
        np.testing.assert_allclose(found_scores, scores, rtol=1e-5)


@pytest.mark.parametrize("search", [greedy_search, beam_search])
@pytest.mark.parametrize("beams", [1, 3])
def test_captions_begin_with_the_prompt(search, beams):
    if (search is greedy_search) == (beams > 1):
        pytest.skip("greedy search has one beam")
    prompt = (5, 4)
    settings = DecodingSettings(LENGTH, beams=beams, prompt=prompt, length_penalty=2.0)
    tokens, scores = map(ops.convert_to_numpy, search(table_step, (), ROWS, settings, SPECIAL))
    assert (tokens[:, :, :2] == prompt).all()
    assert (tokens[:, :, 2] != SPECIAL.end).all()
    # The score is the mean of the log-probabilities after the prompt.
    table = TABLE - np.log(np.exp(TABLE).sum(axis=-1, keepdims=True))
    for row, caption in enumerate(tokens[:, 0]):
        words = [int(word) for word in caption if word != SPECIAL.pad]
        expected = sum(table[row, i, words[i - 1], words[i]] for i in range(2, len(words)))
        np.testing.assert_allclose(scores[row, 0], expected / (len(words) - 2) ** 2, rtol=1e-4)


@pytest.mark.parametrize("search", [greedy_search, beam_search])
def test_each_row_may_have_its_own_prompt(search):
    beams = 1 if search is greedy_search else 3
    prompts = [(5, 4), (), (6,)]
    rows = pack_prompts([prompts[row % 3] for row in range(ROWS)], LENGTH)
    settings = DecodingSettings(LENGTH, beams=beams)
    found = [
        ops.convert_to_numpy(each) for each in search(table_step, (), ROWS, settings, SPECIAL, rows)
    ]
    for index, prompt in enumerate(prompts):
        settings = DecodingSettings(LENGTH, beams=beams, prompt=prompt)
        expected = search(table_step, (), ROWS, settings, SPECIAL)
        for some, all_rows in zip(found, expected, strict=True):
            all_rows = ops.convert_to_numpy(all_rows)
            np.testing.assert_allclose(some[index::3], all_rows[index::3], rtol=1e-5)


def test_prompt_that_leaves_no_room_raises():
    with pytest.raises(ValueError, match="`prompt` must leave room"):
        DecodingSettings(LENGTH, prompt=(4, 5, 4, 5))
