"""A model of the utterances of a conversation."""

import keras
import numpy as np
import pytest
from layer_checks import to_numpy

from keras_mmfusion.encoders import TokenEncoder, VectorEncoder
from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.models import ConversationModel, FusionModel

RNG = np.random.default_rng(0)
HERE = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], "bool")
DATA = {
    "text": RNG.normal(size=(2, 4, 5)).astype("float32"),
    "audio": RNG.normal(size=(2, 4, 3)).astype("float32"),
    "text_mask": HERE,
    "audio_mask": HERE & np.array([1, 1, 0, 1], "bool"),
}


def make(modality_dropout=0.0):
    utterance_model = FusionModel(
        {"text": VectorEncoder(8), "audio": VectorEncoder(8)},
        FusionBlock(("text", "audio"), combine="concat", dim=8, num_heads=2),
        modality_dropout=modality_dropout,
    )
    model = ConversationModel(utterance_model, TokenEncoder(8, num_heads=2), keras.layers.Dense(1))
    model(DATA)
    return model


@pytest.fixture(scope="module")
def model():
    return make()


def outputs(model, data):
    return to_numpy(model(data))


def test_output_matches_utterance_model_context_and_head(model):
    fused = [
        model.utterance_model({name: values[:, place] for name, values in DATA.items()})
        for place in range(4)
    ]
    tokens = model.context(keras.ops.stack(fused, axis=1), mask=HERE)
    np.testing.assert_allclose(outputs(model, DATA), to_numpy(model.head(tokens)), atol=1e-5)

    changed = {**DATA, "text": DATA["text"] + np.eye(4, dtype="float32")[3][:, None]}
    moved = np.abs(outputs(model, changed) - outputs(model, DATA))[..., 0]
    assert (moved[0] > 1e-4).all() and (moved[1] < 1e-6).all()


def test_masked_values_do_not_change_outputs(model):
    expected = outputs(model, DATA)
    spoiled = {
        name: np.where(DATA[f"{name}_mask"][..., None], DATA[name], np.nan)
        for name in ("text", "audio")
    }
    np.testing.assert_array_equal(outputs(model, {**DATA, **spoiled})[HERE], expected[HERE])

    silent = {"text": DATA["text"], "text_mask": HERE}
    without = {**DATA, "audio": DATA["audio"] * np.nan, "audio_mask": np.zeros_like(HERE)}
    np.testing.assert_allclose(outputs(model, silent), outputs(model, without), atol=1e-6)
    np.testing.assert_array_equal(outputs(model, {**silent, "audio": None}), outputs(model, silent))


def test_padding_does_not_change_outputs(model):
    short = {name: values[1:, :2] for name, values in DATA.items()}
    np.testing.assert_allclose(outputs(model, short), outputs(model, DATA)[1:, :2], atol=1e-5)


def test_trained_model_saves_and_loads(tmp_path):
    model = make(modality_dropout=0.3)
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True), run_eagerly=True)
    before = [to_numpy(each) for each in model.trainable_variables]
    model.fit(DATA, np.ones((2, 4, 1)), sample_weight=HERE.astype("float32"), verbose=0)
    after = [to_numpy(each) for each in model.trainable_variables]
    assert all((a != b).any() for a, b in zip(before, after, strict=True))

    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset")
    expected = model.predict(DATA, verbose=0)
    for same in (
        keras.saving.load_model(tmp_path / "model.keras"),
        ConversationModel.from_preset(tmp_path / "preset"),
    ):
        np.testing.assert_allclose(outputs(same, DATA), expected, atol=1e-6)


def test_invalid_inputs_are_errors(model):
    with pytest.raises(ValueError, match="none of the modalities 'text', 'audio'"):
        model({"text": None})
    with pytest.raises(ValueError, match="has 'video'"):
        model({**DATA, "video": DATA["text"]})
    with pytest.raises(ValueError, match="`utterance_model` must be a `FusionModel`"):
        ConversationModel(TokenEncoder(8), TokenEncoder(8), keras.layers.Dense(1))


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="A SavedModel is TensorFlow's.")
def test_exported_model_accepts_any_number_of_utterances(model, tmp_path):
    import tensorflow as tf

    loaded = tf.saved_model.load(model.export(tmp_path, DATA))
    serve = loaded.signatures["serving_default"]
    given = {name: tf.constant(x) for name, x in DATA.items()}
    np.testing.assert_allclose(serve(**given)["outputs"], outputs(model, DATA), atol=1e-5)
    short = {name: x[:1, :2] for name, x in DATA.items()}
    given = {name: tf.constant(x) for name, x in short.items()}
    np.testing.assert_allclose(serve(**given)["outputs"], outputs(model, short), atol=1e-5)
