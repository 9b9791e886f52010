import csv
import pathlib

import keras
import numpy as np
import pytest
from small_captioners import SIZE, color_images, small_captioner, write_images

from keras_mmfusion import Captioner, ImageCaptioningModel, TransformerCaptioner
from keras_mmfusion.datasets import (
    CaptionPairs,
    CaptionSequence,
    caption_dataset,
    image_caption_dataset,
)
from keras_mmfusion.models.presets.preset_folder import set_dtype_policy

OPTIONS = {"batch_size": 6, "image_size": SIZE, "captions_per_image": 2}
# XLA compilation would dominate the test time.
FAST = {"jit_compile": False}


@pytest.fixture
def pairs(tmp_path):
    return CaptionPairs(*write_images(tmp_path))


@pytest.mark.parametrize("cls", [ImageCaptioningModel, TransformerCaptioner])
def test_fit_on_raw_data_lowers_the_loss(cls, pairs):
    pytest.importorskip("tensorflow")
    model = small_captioner(cls, dropout=0.1)
    model.compile(keras.optimizers.Adam(0.02), **FAST)
    dataset = caption_dataset(pairs, **OPTIONS)
    before = model.evaluate(dataset, return_dict=True, verbose=0)
    model.fit(dataset, validation_data=dataset, epochs=15, verbose=0)
    after = model.evaluate(dataset, return_dict=True, verbose=0)
    assert after["loss"] < 0.6 * before["loss"]
    assert after["accuracy"] > before["accuracy"]
    assert all(model.generate(pairs.images))


def test_fit_on_a_folder_and_a_table(tmp_path):
    pytest.importorskip("tensorflow")
    paths, captions = write_images(tmp_path, count=6)
    with (tmp_path / "captions.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "caption"])
        for path, each in zip(paths, captions, strict=True):
            rows.writerow([pathlib.Path(path).name, each[0]])
    dataset = image_caption_dataset(
        str(tmp_path), str(tmp_path / "captions.csv"), batch_size=6, image_size=SIZE
    )
    model = small_captioner()
    model.compile(keras.optimizers.Adam(0.02), **FAST)
    losses = model.fit(dataset, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("raw", [True, False])
def test_fit_on_a_sequence(raw, pairs):
    model = small_captioner()
    model.compile(keras.optimizers.Adam(0.02), **FAST)
    preprocessor = None if raw else model.preprocessor
    sequence = CaptionSequence(pairs, preprocessor=preprocessor, workers=1, **OPTIONS)
    before = model.evaluate(sequence, return_dict=True, verbose=0)
    history = model.fit(sequence, validation_data=sequence, epochs=8, verbose=0).history
    after = model.evaluate(sequence, return_dict=True, verbose=0)
    assert after["loss"] < 0.8 * before["loss"]
    assert history["val_loss"][-1] == pytest.approx(after["loss"], rel=1e-4)
    assert len(model.predict(sequence, verbose=0)) == len(pairs)


def test_fit_on_arrays_with_validation_sequence(pairs):
    model = small_captioner()
    model.compile(**FAST)
    sequence = CaptionSequence(pairs, workers=1, **OPTIONS)
    x, y, sample_weight = model.preprocess_samples(sequence[0])
    history = model.fit(
        x, y, sample_weight=sample_weight, validation_data=sequence, verbose=0
    ).history
    assert np.isfinite(history["val_loss"]).all()


def test_sequence_and_dataset_give_the_same_loss(pairs):
    pytest.importorskip("tensorflow")
    model = small_captioner()
    model.compile(**FAST)
    dataset = caption_dataset(pairs, shuffle=False, **OPTIONS)
    sequence = CaptionSequence(pairs, shuffle=False, workers=1, **OPTIONS)
    found, expected = (model.evaluate(x, verbose=0) for x in (sequence, dataset))
    np.testing.assert_allclose(found, expected, rtol=0.01)


def test_evaluation_does_not_change_weights(pairs):
    model = small_captioner(dropout=0.5)
    model.compile(**FAST)
    before = [np.array(weight) for weight in model.get_weights()]
    sequence = CaptionSequence(pairs, workers=1, **OPTIONS)
    first, second = (model.evaluate(sequence, verbose=0) for _ in range(2))
    model.predict(sequence, verbose=0)
    model.generate(color_images())
    np.testing.assert_allclose(first, second, rtol=1e-5)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("cls", [ImageCaptioningModel, TransformerCaptioner])
def test_training_and_generation_in_each_precision(cls, dtype, pairs):
    model = small_captioner(cls, dtype=dtype, dropout=0.1)
    model.compile(keras.optimizers.Adam(0.01), **FAST)
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (dtype == "mixed_float16")
    sequence = CaptionSequence(pairs, workers=1, **OPTIONS)
    history = model.fit(sequence, epochs=4, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert history["loss"][-1] < history["loss"][0]
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert all(model.generate(color_images()))
    for caption in model.generate(color_images(), details=True):
        assert np.isfinite(caption.token_log_probs).all()


def test_from_preset_with_dtype(tmp_path):
    model = small_captioner()
    model.save_to_preset(tmp_path / "preset")
    loaded = Captioner.from_preset(tmp_path / "preset", dtype="mixed_float16")
    assert isinstance(loaded.optimizer, keras.optimizers.LossScaleOptimizer)
    assert loaded.text_decoder.blocks[0].compute_dtype == "float16"
    assert loaded.compute_dtype == "float16"
    assert all(loaded.generate(color_images()))


def test_set_dtype_policy_affects_generation():
    model = small_captioner()
    expected = model.generate(color_images(), beams=1, details=True)
    image = model.preprocessor.generate_preprocess(color_images(1)[0])
    set_dtype_policy(model, "mixed_bfloat16")
    lower = model.generate(color_images(), beams=1, details=True)
    assert any(a.score != b.score for a, b in zip(expected, lower, strict=True))
    # Images are still preprocessed in full precision.
    again = model.preprocessor.generate_preprocess(color_images(1)[0])
    np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (image, again)))
    set_dtype_policy(model, "float32")
    found = model.generate(color_images(), beams=1, details=True)
    assert [a.score for a in found] == [b.score for b in expected]


def test_set_dtype_policy_requires_the_variable_dtype():
    with pytest.raises(ValueError, match="`dtype` must keep the weights in float32"):
        set_dtype_policy(small_captioner(), "float16")
