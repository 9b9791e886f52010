import numpy as np
import pytest
from keras import ops

from keras_mmfusion.models.captioning.decoding.decoding_settings import (
    DecodingSettings,
    SpecialTokens,
)
from keras_mmfusion.models.captioning.decoding.sampling import sample_captions

SPECIAL = SpecialTokens(start=1, end=2, pad=0)
# Words 3 to 7; the special tokens would be more probable.
PROBABILITIES = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
LOGITS = np.concatenate([[9.0, 9.0, 9.0], np.log(PROBABILITIES)]).astype("float32")
SAMPLES = 20_000


def step(tokens, index, ancestors, cache):
    return ops.broadcast_to(LOGITS, (*tokens.shape[:2], len(LOGITS))), cache


def sample(seed=0, samples=SAMPLES, max_length=3, **settings):
    settings = DecodingSettings(max_length, min_length=2, samples=samples, **settings)
    noise = np.random.default_rng(seed).random((1, samples, max_length)).astype("float32")
    tokens, scores = sample_captions(step, (), noise, settings, SPECIAL)
    return ops.convert_to_numpy(tokens)[0], ops.convert_to_numpy(scores)[0]


def frequencies(**settings):
    first = sample(**settings)[0][:, 0]
    return np.bincount(first, minlength=8)[3:] / SAMPLES


def test_samples_follow_the_probabilities():
    np.testing.assert_allclose(frequencies(), PROBABILITIES, atol=0.015)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_sharpens_or_flattens_the_distribution(temperature):
    expected = PROBABILITIES ** (1 / temperature)
    found = frequencies(temperature=temperature)
    np.testing.assert_allclose(found, expected / expected.sum(), atol=0.015)


@pytest.mark.parametrize("temperature", [0.01, 1e-12])
def test_very_low_temperatures_select_the_most_probable_token(temperature):
    assert frequencies(temperature=temperature)[0] == 1


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"top_k": 1}, 1),
        ({"top_k": 3}, 3),
        ({"top_k": 99}, 5),
        ({"top_p": 0.01}, 1),
        ({"top_p": 0.39}, 1),
        ({"top_p": 0.69}, 2),
        ({"top_p": 0.84}, 3),
        ({"top_p": 1.0}, 5),
        ({"top_k": 2, "top_p": 0.99}, 2),
        ({"top_k": 4, "top_p": 0.5}, 2),
    ],
)
def test_top_k_and_top_p_keep_the_most_probable_tokens(settings, kept):
    expected = np.where(np.arange(5) < kept, PROBABILITIES, 0)
    found = frequencies(**settings)
    np.testing.assert_allclose(found, expected / expected.sum(), atol=0.015)
    assert (found[kept:] == 0).all()


@pytest.mark.parametrize("settings", [{}, {"top_k": 5}, {"top_p": 1.0}])
@pytest.mark.parametrize("number", [0.0, 0.5, np.nextafter(np.float32(1), np.float32(0))])
def test_extreme_noise_samples_only_allowed_tokens(settings, number):
    settings = DecodingSettings(1 + 1, min_length=1, samples=1, **settings)
    noise = np.full((1, 1, 2), number, "float32")
    tokens, scores = sample_captions(step, (), noise, settings, SPECIAL)
    assert 3 <= ops.convert_to_numpy(tokens)[0, 0, 0] <= 7
    assert ops.convert_to_numpy(scores)[0, 0] > -1e3


def test_sampling_is_determined_by_the_noise():
    first, again, other = (sample(seed, samples=50)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_sampled_captions_are_padded_and_scored_by_log_probability():
    tokens, scores = sample(samples=200, max_length=6)
    log_probs = LOGITS - np.log(np.exp(LOGITS).sum())
    for row, score in zip(tokens, scores, strict=True):
        words = list(row[row != 0])
        assert 2 not in words[:-1]
        assert list(row[len(words) :]) == [0] * (6 - len(words))
        assert score == pytest.approx(log_probs[words].sum(), abs=1e-4)
    assert (tokens == 2).any()


def test_no_repeat_ngram_1_repeats_no_word_in_samples():
    tokens, _ = sample(samples=100, max_length=5, no_repeat_ngram=1)
    for row in tokens:
        words = row[row > 2]
        assert len(set(words)) == len(words)
