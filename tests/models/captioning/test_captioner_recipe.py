"""Recipes and their training stages."""

import dataclasses

import keras
import numpy as np
import pytest
from small_captioners import SIZE, color_images, small_captioner, write_images

from keras_mmfusion import ImageEncoder
from keras_mmfusion.datasets import CaptionPairs
from keras_mmfusion.models import Captioner
from keras_mmfusion.models.captioning.training.captioner_recipe import (
    CaptionerRecipe,
    train_captioner,
)
from keras_mmfusion.models.captioning.training.captioner_training import BEST
from keras_mmfusion.models.captioning.training.feature_cache import (
    CAPTIONS_FILE,
    FEATURES_FILE,
    encode_feature_cache,
    write_feature_cache,
)


def small_recipe(**settings):
    return CaptionerRecipe(
        dim=8,
        num_layers=1,
        num_heads=2,
        sequence_length=8,
        min_count=1,
        views=2,
        batch_size=6,
        epochs=2,
        samples=2,
        **settings,
    )


def lite_encoder():
    keras.utils.set_random_seed(0)
    return ImageEncoder(image_size=SIZE)


def test_train_captioner_writes_a_preset(tmp_path):
    pairs = CaptionPairs(*write_images(tmp_path))
    recipe = small_recipe(fine_tune_epochs=1, self_critical_epochs=1, dtype="mixed_bfloat16")
    slices = 1
    while not train_captioner(
        recipe, lite_encoder(), pairs, pairs.take(3), tmp_path / "preset", stop_after=0
    ):
        slices += 1
        assert slices < 12
    assert slices == 5  # Each epoch has two batches, and a run can stop after the first.
    model = Captioner.from_preset(tmp_path / "preset")
    assert model.compute_dtype == "float32"
    assert all(model.generate(color_images()))


def test_training_continues_from_a_captioner_with_further_words(tmp_path, monkeypatch):
    def save_untrained(recipe, captioner, model, sequence, dev, folder, *arguments, **run):
        captioner.save_to_preset(folder / BEST)
        return True

    monkeypatch.setattr(CaptionerRecipe, "_run", save_untrained)
    pairs = CaptionPairs(*write_images(tmp_path))
    recipe = small_recipe(fine_tune_blocks=1)
    start = recipe.build_captioner(lite_encoder(), ["a square on the wall", "the wall is green"])
    embeddings = keras.ops.convert_to_numpy(start.text_decoder.get_weights()[0])
    old = start.preprocessor.tokenizer.get_vocabulary()
    arguments = (start, pairs, pairs.take(3), tmp_path / "preset")
    assert train_captioner(recipe, *arguments)
    model = Captioner.from_preset(tmp_path / "preset")
    assert model.preprocessor.tokenizer.get_vocabulary() == [*old, "blue", "red"]
    found = model.text_decoder.get_weights()[0]
    np.testing.assert_array_equal(found[: len(old)], embeddings)
    assert start.text_decoder.vocabulary_size == len(old)
    start.text_decoder.set_weights([2 * weight for weight in start.text_decoder.get_weights()])
    with pytest.raises(ValueError, match=r"captioner: sha256 \w+ -> sha256"):
        train_captioner(recipe, *arguments)


def test_training_in_stages_needs_an_encoder_that_can_be_split(tmp_path):
    pairs = CaptionPairs(*write_images(tmp_path))
    with pytest.raises(ValueError, match="`fine_tune_captioner`.*Received an encoder of type Func"):
        train_captioner(small_recipe(), small_captioner(), pairs, pairs, tmp_path / "preset")


def test_each_stage_trains_only_its_weights(tmp_path):
    pairs = CaptionPairs(*write_images(tmp_path))
    recipe = small_recipe(
        fine_tune_epochs=1,
        fine_tune_blocks=2,
        fine_tune_learning_rate=0.01,
        self_critical_epochs=1,
        self_critical_blocks=1,
        self_critical_average=0.5,
    )
    work = tmp_path / "preset.training"
    assert train_captioner(recipe, lite_encoder(), pairs, pairs.take(3), tmp_path / "preset")

    to_numpy = keras.ops.convert_to_numpy

    def weights(stage):
        model = Captioner.from_preset(work / stage / BEST)
        return {w.path: to_numpy(w) for w in model.weights}

    def changed(one, other):
        return {name for name in one if (one[name] != other[name]).any()}

    caches = recipe.cache_features(lite_encoder(), pairs, pairs.take(3), work / "features")
    decoder_only = dataclasses.replace(recipe, self_critical_blocks=0)
    assert decoder_only.train_self_critical(work / "fine_tuning" / BEST, caches, work / "decoder")
    stages = ("cross_entropy", "fine_tuning", "self_critical", "decoder")
    first, second, third, of_decoder = map(weights, stages)
    encoder = {w.path: to_numpy(w) for w in lite_encoder().weights}
    upper, last = (
        {w.path for w in lite_encoder().split(blocks)[1].weights if "normalization" not in w.path}
        for blocks in (2, 1)
    )
    tuned = {name for name in changed(first, second) if name in encoder}
    assert not changed(encoder, {name: first[name] for name in encoder})
    assert tuned == upper  # Batch normalization stays frozen.
    assert any("block_0/mlp_hidden" in name for name in changed(first, second))
    for rewarded, blocks in ((changed(second, third), last), (changed(second, of_decoder), set())):
        assert any("block_0/mlp_hidden" in name for name in rewarded)
        assert rewarded & encoder.keys() == blocks


def test_moving_average_changes_less_than_weights(tmp_path):
    pairs = CaptionPairs(*write_images(tmp_path))
    recipe = small_recipe(fine_tune_blocks=0, self_critical_epochs=2)
    caches = recipe.cache_features(lite_encoder(), pairs, pairs.take(3), tmp_path / "features")
    start = tmp_path / "start"
    recipe.build_captioner(
        lite_encoder(), [each for row in pairs.captions for each in row]
    ).save_to_preset(start)

    def measure_change(average):
        averaged = dataclasses.replace(recipe, self_critical_average=average)
        assert averaged.train_self_critical(start, caches, tmp_path / str(average))
        models = map(Captioner.from_preset, (start, tmp_path / str(average) / BEST))
        one, other = (model.text_decoder.get_weights()[0] for model in models)
        return np.abs(one - other).max()

    assert 0 < measure_change(0.9) < 0.9 * measure_change(0.0)


def test_encode_feature_cache_equals_direct_encoding(tmp_path):
    pairs = CaptionPairs(*write_images(tmp_path))
    encoder = lite_encoder()
    (start, _), (end, _) = encoder.split(2), encoder.split(0)
    cache = write_feature_cache(start, pairs, tmp_path / "start", SIZE, views=2)
    between = keras.Model(start.output, end.output)
    further = encode_feature_cache(between, cache, tmp_path / "further", batch_size=4)
    at_once = write_feature_cache(end, pairs, tmp_path / "end", SIZE, views=2)
    found, expected = (np.load(folder / FEATURES_FILE) for folder in (further, at_once))
    assert found.shape == expected.shape and found.dtype == "float16"
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())
    for one, other in ((cache, further), (cache, at_once)):
        assert (one / CAPTIONS_FILE).read_text() == (other / CAPTIONS_FILE).read_text()
    written = (further / FEATURES_FILE).stat().st_mtime_ns
    encode_feature_cache(between, cache, further)  # The finished cache is reused.
    assert (further / FEATURES_FILE).stat().st_mtime_ns == written


def test_feature_maps_depend_on_encoder_weights(tmp_path):
    pairs = CaptionPairs(*write_images(tmp_path))
    recipe, encoder = small_recipe(fine_tune_blocks=2, self_critical_blocks=1), lite_encoder()
    caches = recipe.cache_features(encoder, pairs, pairs.take(3), tmp_path / "features")
    first = recipe._encode_further(encoder, caches, tmp_path)
    assert recipe._encode_further(lite_encoder(), caches, tmp_path) == first
    weight = encoder.split(2)[1].trainable_weights[0]
    weight.assign(2 * weight)
    second = recipe._encode_further(encoder, caches, tmp_path)
    one, other = (np.load(folders[0] / FEATURES_FILE) for folders in (first, second))
    assert np.abs(one - other).max() > 1e-3
    same = dataclasses.replace(recipe, self_critical_blocks=2)
    assert same._encode_further(encoder, caches, tmp_path) == caches


def test_moving_average_momentum_must_be_below_one():
    with pytest.raises(ValueError, match=r"`self_critical_average` must be in \[0, 1\).*1.0"):
        small_recipe(self_critical_average=1.0)


def test_self_critical_blocks_must_not_exceed_fine_tune_blocks():
    with pytest.raises(ValueError, match="`self_critical_blocks` must be from 0 to `fine_tune_bl"):
        small_recipe(fine_tune_blocks=2, self_critical_blocks=3)
