"""Heads of each modality in training, and how their losses are weighed."""

import warnings

import keras
import numpy as np
import pytest
from layer_checks import to_numpy

from keras_mmfusion.encoders import VectorEncoder
from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.models import (
    FusionModel,
    GradientBlendingModel,
    estimate_blending_weights,
)

RNG = np.random.default_rng(0)
DATA = {
    "signs": RNG.normal(size=(8, 3, 2)).astype("float32"),
    "voice": RNG.normal(size=(8, 3)).astype("float32"),
    "voice_mask": np.arange(8) < 6,
}
LABELS = DATA["signs"].mean(axis=1)[:, :1]
WEIGHTS = [0.5, 0.2, 0.3]


def make(**settings):
    keras.utils.set_random_seed(0)
    model = GradientBlendingModel(
        {"signs": VectorEncoder(4), "voice": VectorEncoder(4)},
        FusionBlock(("signs", "voice"), combine="concat", dim=4),
        keras.layers.Dense(1, name="decision"),
        **settings,
    )
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"], jit_compile=False)
    model(DATA)
    return model


def losses(model):
    """The blended loss by hand, and the fused one."""
    signs = model.modality_heads["signs"](keras.ops.mean(model.encoders["signs"](DATA["signs"]), 1))
    voice = model.modality_heads["voice"](model.encoders["voice"](DATA["voice"]))
    fused = model(DATA)
    errors = [np.square(to_numpy(each) - LABELS)[:, 0] for each in (signs, voice, fused)]
    errors[1] = errors[1][DATA["voice_mask"]]  # Nothing of those without a voice.
    means = [each.mean() for each in errors]
    return np.dot(WEIGHTS, means), means[-1]


def test_training_loss_is_the_weighted_sum():
    model = make()
    np.testing.assert_allclose(to_numpy(model.blending_weights), 1 / 3)
    model.blending_weights.assign(WEIGHTS)
    blended, fused = losses(model)
    assert abs(blended - fused) > 0.01
    found = model.evaluate(DATA, LABELS, verbose=0, return_dict=True)
    np.testing.assert_allclose(found["loss"], fused, rtol=1e-5)
    hidden = {**DATA, "voice": np.where(DATA["voice_mask"][:, None], DATA["voice"], np.nan)}
    history = model.fit(hidden, LABELS, batch_size=8, verbose=0).history
    np.testing.assert_allclose(history["loss"], blended, rtol=1e-5)
    np.testing.assert_allclose(history["mae"], found["mae"], rtol=1e-5)
    assert model.predict(DATA, verbose=0).shape == (8, 1)


def test_weight_zero_stops_the_training_of_a_part():
    model = make()
    model.blending_weights.assign([0, 1, 0])
    before = {weight.path: to_numpy(weight) for weight in model.trainable_weights}
    model.fit(DATA, LABELS, batch_size=8, verbose=0)
    moved = {w.path for w in model.trainable_weights if np.any(to_numpy(w) != before[w.path])}
    parts = (model.encoders["voice"], model.modality_heads["voice"])
    assert moved == {weight.path for part in parts for weight in part.trainable_weights}


def test_missing_modality_does_not_contribute_to_the_loss():
    model = make()
    data = {"signs": DATA["signs"]}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gradients do not exist")  # For the voice; so it is.
        history = model.fit(data, LABELS, batch_size=8, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_keras_file_and_preset_keep_outputs(tmp_path):
    model = make(modality_dropout=0.1)
    model.blending_weights.assign(WEIGHTS)
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset")
    for loaded in (
        keras.saving.load_model(tmp_path / "model.keras"),
        FusionModel.from_preset(tmp_path / "preset"),
    ):
        assert isinstance(loaded, GradientBlendingModel)
        for one, other in zip(loaded.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_estimated_weights_match_the_formula(monkeypatch):
    """Losses `(train, held out)` of each part before and after, as if measured."""
    table = {
        "signs": [(1.0, 1.0), (0.5, 0.6)],  # G 0.4, O 0.1: 40
        "voice": [(1.0, 1.2), (0.2, 1.0)],  # G 0.2, O 0.6: 0.2 / 0.36
        "fused": [(2.0, 2.0), (0.1, 2.5)],  # G -0.5: nothing
    }
    answers = iter([x for before_after in table.values() for pair in before_after for x in pair])
    monkeypatch.setattr(keras.Model, "evaluate", lambda self, *_, **__: {"loss": next(answers)})
    monkeypatch.setattr(keras.Model, "fit", lambda self, *_, **__: None)
    model = make()
    found = estimate_blending_weights(model, DATA, LABELS, (DATA, LABELS))
    total = 40 + 0.2 / 0.36
    expected = {"signs": 40 / total, "voice": 0.2 / 0.36 / total, "fused": 0.0}
    assert found == pytest.approx(expected)
    np.testing.assert_allclose(to_numpy(model.blending_weights), list(expected.values()), rtol=1e-6)


def test_estimation_restores_the_weights():
    model = make()
    before = model.get_weights()
    train = {**DATA, "voice": np.where(DATA["voice_mask"][:, None], DATA["voice"], np.nan)}
    found = estimate_blending_weights(model, train, LABELS, (train, LABELS), batch_size=4)
    assert sum(found.values()) == pytest.approx(1) and min(found.values()) >= 0
    for weight, one, other in zip(model.weights, model.get_weights(), before, strict=True):
        assert weight is model.blending_weights or np.array_equal(one, other), weight.path
    np.testing.assert_allclose(to_numpy(model.blending_weights), list(found.values()), rtol=1e-6)


def test_failed_estimation_restores_the_weights(monkeypatch):
    model = make()
    before = model.get_weights()
    fit = keras.Model.fit

    def broken(part, *data, **settings):
        fit(part, *data, **settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "fit", broken)
    with pytest.raises(KeyboardInterrupt):
        estimate_blending_weights(model, DATA, LABELS, (DATA, LABELS))
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_invalid_arguments_are_errors():
    with pytest.raises(ValueError, match="`head` must be a layer"):
        GradientBlendingModel({}, FusionBlock(("x",)), head=None)
    model = make()
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=False)
    with pytest.raises(ValueError, match="No part of the model improves"):
        estimate_blending_weights(model, DATA, LABELS, (DATA, LABELS))
