"""Extension of a captioner's vocabulary."""

import numpy as np
import pytest
from layer_checks import to_numpy
from small_captioners import SIZE, small_captioner

from keras_mmfusion import ImageCaptioningModel
from keras_mmfusion.models import WordTokenizer
from keras_mmfusion.models.captioning import GraphCaptioner, extend_vocabulary

CAPTIONS = ["a zebra and a purple wall", ["two zebra", "purple purple"]]
IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, *SIZE, 3)).astype("float32")
IDS = np.array([[1, 5, 6, 7], [1, 8, 9, 2]])


@pytest.fixture(scope="module")
def captioner():
    return small_captioner(GraphCaptioner)


@pytest.fixture(scope="module")
def extended(captioner):
    return extend_vocabulary(captioner, CAPTIONS, min_count=2)


def test_new_words_follow_the_old_ones(captioner, extended):
    old = captioner.preprocessor.tokenizer.get_vocabulary()
    assert extended.preprocessor.tokenizer.get_vocabulary() == [*old, "purple", "zebra"]
    assert extended.text_decoder.vocabulary_size == len(old) + 2
    assert type(extended) is GraphCaptioner and extended.name == captioner.name


def test_logits_of_old_words_are_unchanged_and_those_of_new_words_their_mean(captioner, extended):
    logits = to_numpy(captioner(IMAGES, IDS))
    found = to_numpy(extended(IMAGES, IDS))
    np.testing.assert_allclose(found[..., :-2], logits, atol=1e-5)
    mean = logits[..., len(WordTokenizer.special_tokens) :].mean(axis=-1)
    np.testing.assert_allclose(found[..., -2:], np.stack([mean, mean], -1), atol=1e-4)


def test_weights_are_copies(captioner, extended):
    before = to_numpy(captioner(IMAGES, IDS))
    extended = extend_vocabulary(extended, ["a b"], min_count=1)
    for weight in extended.weights:
        weight.assign(weight + 1.0)
    np.testing.assert_array_equal(to_numpy(captioner(IMAGES, IDS)), before)


def test_extended_captioner_is_saved_with_its_words(extended, tmp_path):
    extended.save_to_preset(tmp_path / "preset")
    loaded = GraphCaptioner.from_preset(tmp_path / "preset")
    assert loaded.preprocessor.tokenizer(["a zebra"]) == extended.preprocessor.tokenizer(
        ["a zebra"]
    )
    np.testing.assert_array_equal(to_numpy(loaded(IMAGES, IDS)), to_numpy(extended(IMAGES, IDS)))


def test_captions_without_new_words_change_nothing(captioner):
    same = extend_vocabulary(captioner, ["a red wall"], min_count=1)
    np.testing.assert_array_equal(to_numpy(same(IMAGES, IDS)), to_numpy(captioner(IMAGES, IDS)))


def test_captioners_without_a_text_decoder_or_words_raise_errors():
    model = small_captioner(ImageCaptioningModel, preprocessor=None)
    with pytest.raises(ValueError, match="`WordTokenizer`.*Received: TextDecoder, NoneType"):
        extend_vocabulary(model, CAPTIONS)
