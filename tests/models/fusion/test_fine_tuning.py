"""Encoders that learn at their own rates, or by adapters of low rank."""

import keras
import keras_hub
import numpy as np
import pytest
from layer_checks import to_numpy

from keras_mmfusion.encoders import TextEncoder, VectorEncoder
from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.models import FusionModel

RNG = np.random.default_rng(0)
DATA = {
    "words": RNG.integers(1, 9, (4, 3)).astype("int32"),
    "voice": RNG.normal(size=(4, 3)).astype("float32"),
}
LABELS = RNG.normal(size=(4, 1)).astype("float32")


def make():
    model = FusionModel(
        {
            "words": keras.Sequential([keras.layers.Embedding(9, 4), keras.layers.Dense(4)]),
            "voice": VectorEncoder(4),
        },
        FusionBlock(("words", "voice"), dim=4, combine="sum"),
        keras.layers.Dense(1),
    )
    model(DATA)
    return model


def weights_of(model):
    return [to_numpy(weight) for weight in model.trainable_weights]


def largest_steps(model):
    """How far any weight moves in a step: of the words' encoder, the voice's, and of the rest."""
    parts = [*model.encoders.values(), model.fusion, model.head]
    before = [weights_of(part) for part in parts]
    model.fit(DATA, LABELS, verbose=0)
    words, voice, *rest = (
        max(np.abs(new - old).max() for new, old in zip(weights_of(part), each, strict=True))
        for part, each in zip(parts, before, strict=True)
    )
    return words, voice, max(rest)


@pytest.mark.parametrize("optimizer", [keras.optimizers.Adam, keras.optimizers.AdamW])
def test_learning_rate_multipliers_scale_updates(optimizer):
    """Adam's first step is of the size of the learning rate, whatever the gradient's scale."""
    model = make()
    model.compile(
        optimizer(0.01),
        "mse",
        learning_rate_multipliers={"voice": 0.1, "words": 0.0},
        jit_compile=False,
    )
    words, voice, rest = largest_steps(model)
    assert words == 0
    np.testing.assert_allclose(10 * voice, rest, rtol=0.05)
    np.testing.assert_allclose(rest, 0.01, rtol=0.05)


def test_saved_model_keeps_learning_rate_multipliers(tmp_path):
    model = make()
    model.compile("adam", "mse", learning_rate_multipliers={"voice": 0.5}, jit_compile=False)
    model.fit(DATA, LABELS, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.learning_rate_multipliers == {"voice": 0.5}
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations) == 2
    for each in (model, loaded):
        each.optimizer.learning_rate = 0.01
        each.fit(DATA, LABELS, verbose=0)
    for one, other in zip(weights_of(model), weights_of(loaded), strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6)


def test_multipliers_work_with_loss_scaling():
    model = make()
    model.compile(
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)),
        "mse",
        learning_rate_multipliers={"words": 0.0},
        jit_compile=False,
    )
    words, voice, _ = largest_steps(model)
    assert words == 0 and 0 < voice < 1


def test_multipliers_of_one_do_not_change_training():
    model = make()
    weights = model.get_weights()
    results = []
    for multipliers in ({"voice": 1.0}, None):
        model.set_weights(weights)
        model.compile(
            keras.optimizers.SGD(0.1, momentum=0.9, global_clipnorm=0.1),
            "mse",
            learning_rate_multipliers=multipliers,
            jit_compile=False,
        )
        model.fit(DATA, LABELS, epochs=2, verbose=0)
        results.append(model.get_weights())
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def is_adapter(path):
    return "lora" in path


def test_lora_trains_only_adapters_of_encoders():
    model = make()
    before = model.predict(DATA, verbose=0)
    model.enable_lora(rank=2)
    np.testing.assert_allclose(model.predict(DATA, verbose=0), before, atol=1e-6)

    encoders = [w.path for encoder in model.encoders.values() for w in encoder.trainable_weights]
    assert encoders and all(is_adapter(path) for path in encoders)
    count = sum(len(part.trainable_weights) for part in (model.fusion, model.head))
    assert len(model.trainable_weights) == len(encoders) + count
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    frozen = {w.path: to_numpy(w) for w in model.non_trainable_weights}
    before = weights_of(model)
    model.fit(DATA, LABELS, epochs=2, verbose=0)  # At first all `B` are zero, and so no `A` moves.
    for weight in model.non_trainable_weights:
        np.testing.assert_array_equal(to_numpy(weight), frozen[weight.path])
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.any(to_numpy(weight) != old), weight.path


def test_saved_model_has_merged_adapters(tmp_path):
    model = make()
    model.enable_lora(rank=1)
    model.compile(keras.optimizers.Adam(0.05), "mse", jit_compile=False)
    model.fit(DATA, LABELS, epochs=3, verbose=0)
    expected = model.predict(DATA, verbose=0)
    model.save_to_preset(tmp_path / "preset")
    loaded = FusionModel.from_preset(tmp_path / "preset")
    np.testing.assert_allclose(loaded.predict(DATA, verbose=0), expected, atol=1e-6)
    assert not any(is_adapter(weight.path) for weight in loaded.weights)
    loaded.enable_lora(rank=2)
    assert all(np.any(to_numpy(w) != 0) for w in loaded.weights if w.path.endswith("_a"))


def test_lora_uses_default_layers_of_backbones():
    words = TextEncoder(
        vocabulary_size=9,
        num_layers=1,
        num_heads=1,
        hidden_dim=4,
        intermediate_dim=4,
        max_sequence_length=3,
    )
    assert isinstance(words, keras_hub.models.Backbone)
    model = FusionModel({"words": words}, FusionBlock(("words",), "early", "sum", dim=4))
    model({"words": {"token_ids": DATA["words"], "padding_mask": np.ones((4, 3), "int32")}})
    model.enable_lora(rank=2)
    kinds = {path.split("/")[-2] for path in (w.path for w in words.trainable_weights)}
    assert kinds == {"query", "value"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda model: model.compile(learning_rate_multipliers={"smell": 0.1}),
            "`learning_rate_multipliers` has 'smell', which has no encoder. .* 'words', 'voice'",
        ),
        (
            lambda model: model.compile(
                keras.optimizers.Adam(use_ema=True), learning_rate_multipliers={"voice": 0.1}
            ),
            "`use_ema` is not supported",
        ),
        (lambda model: model.enable_lora(0), "`rank` must be a positive integer"),
        (lambda model: (model.enable_lora(1), model.enable_lora(1)), "already has adapters"),
        (
            lambda _: FusionModel({}, FusionBlock(("words",))).enable_lora(2),
            "Call the model once",
        ),
    ],
)
def test_invalid_arguments_are_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(make())
