"""A model of several modalities: training, saving, and whatever is missing."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from layer_checks import to_numpy

from keras_mmfusion.encoders import TableEncoder, TokenEncoder, VectorEncoder
from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.models import FusionModel

NAMES = ("notes", "record", "voice", "points")
RNG = np.random.default_rng(0)
DATA = {
    "notes": RNG.integers(1, 9, (6, 4)).astype("int32"),
    "record": np.array([[1, 2], [0, np.nan], [3, 0], [np.nan, 1], [5, 1], [1, 1]], "float32"),
    "voice": RNG.normal(size=(6, 3)).astype("float32"),
    "points": RNG.normal(size=(6, 2, 3)).astype("float32"),
    "voice_mask": np.array([1, 0, 1, 1, 0, 1], "bool"),
    "record_mask": np.array([1, 1, 1, 0, 1, 0], "bool"),
    "points_mask": np.array([[1, 1], [1, 0], [0, 1], [1, 1], [0, 0], [1, 1]], "bool"),
}
LABELS = np.array([0, 1, 1, 0, 1, 0])


def make(head=True, modality_dropout=0.0, **fusion):
    """The points go to the fusion as they are."""
    model = FusionModel(
        {
            "notes": TokenEncoder(8, num_heads=2, vocabulary_size=9),
            "record": TableEncoder(8, (None, 3)),
            "voice": VectorEncoder(8),
        },
        FusionBlock(NAMES, **{"dim": 8, "num_heads": 2, "combine": "gated", **fusion}),
        keras.layers.Dense(2) if head else None,
        modality_dropout,
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    model(DATA)
    return model


@pytest.fixture(scope="module")
def model():
    model = make(modality_dropout=0.2)
    model.fit(DATA, LABELS, batch_size=6, epochs=60, verbose=0)
    return model


def outputs(model, data=DATA):
    return model.predict(data, verbose=0)


def test_output_matches_encoders_fusion_and_head(model):
    encoders = model.encoders
    tokens = {
        "notes": encoders["notes"](DATA["notes"]),
        "record": encoders["record"](DATA["record"]),
        "voice": encoders["voice"](DATA["voice"]),
        "points": DATA["points"],
    }
    mask = {name: DATA[f"{name}_mask"] for name in NAMES[1:]}
    expected = to_numpy(model.head(model.fusion(tokens, mask=mask)))
    np.testing.assert_allclose(outputs(model), expected, atol=1e-5)
    assert np.abs(expected).max() > 0.01


def test_training_fits_the_labels(model):
    assert model.evaluate(DATA, LABELS, verbose=0, return_dict=True)["accuracy"] == 1


def test_masked_nan_does_not_change_outputs(model):
    expected = outputs(model)
    hidden = {
        name: np.where(
            DATA[f"{name}_mask"].reshape(DATA[f"{name}_mask"].shape + (1,)), DATA[name], np.nan
        )
        for name in ("record", "voice", "points")
    }
    np.testing.assert_allclose(outputs(model, {**DATA, **hidden}), expected, atol=1e-6)


def test_omitted_none_and_masked_modalities_are_equal(model):
    rest = {name: x for name, x in DATA.items() if not name.startswith("voice")}
    expected = outputs(model, {**DATA, "voice_mask": np.zeros(6, "bool")})
    assert np.abs(expected - outputs(model)).max() > 1e-4
    for data in (rest, {**rest, "voice": None}):
        np.testing.assert_allclose(outputs(model, data), expected, atol=1e-6)
        assert np.isfinite(model.evaluate(data, LABELS, verbose=0)).all()
    shares = to_numpy(model.compute_shares(rest))
    assert shares.shape == (6, 4) and (shares[:, NAMES.index("voice")] == 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)


def test_keras_file_and_preset_keep_outputs(model, tmp_path):
    expected = outputs(model)
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset")
    # The optimizer's class may be of a backend that is not there where the preset is loaded.
    assert "optimizer" not in (tmp_path / "preset" / "task.json").read_text("utf-8")
    for loaded in (
        keras.saving.load_model(tmp_path / "model.keras"),
        FusionModel.from_preset(tmp_path / "preset"),
    ):
        np.testing.assert_allclose(outputs(loaded), expected, atol=1e-6)
        assert loaded.modalities == NAMES and loaded.modality_dropout.rate == 0.2
    half = FusionModel.from_preset(tmp_path / "preset", dtype="mixed_bfloat16")
    np.testing.assert_allclose(to_numpy(half(DATA)), expected, atol=0.1 * np.abs(expected).max())


def test_preset_loads_in_a_new_process(model, tmp_path):
    model.save_to_preset(tmp_path)
    code = (
        "import json, sys\n"
        "from keras_mmfusion.models import FusionModel\n"
        "model = FusionModel.from_preset(sys.argv[1])\n"
        "print(json.dumps([sorted(model.encoders), model.count_params()]))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    expected = [sorted(model.encoders), model.count_params()]
    assert json.loads(run.stdout.splitlines()[-1]) == expected


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="A SavedModel is TensorFlow's.")
def test_exported_model_handles_missing_modalities(model, tmp_path):
    import tensorflow as tf

    version = model.export(tmp_path, DATA, manifest={"preset": "small"})
    manifest = json.loads((version / "manifest.json").read_text("utf-8"))
    assert manifest["preset"] == "small"
    taken = manifest["signatures"]["serving_default"]["inputs"]
    assert taken["points"] == {"dtype": "float32", "shape": [None, None, 3]}
    assert taken["notes"] == {"dtype": "int32", "shape": [None, 4]}
    loaded = tf.saved_model.load(version)
    given = {name: tf.constant(x) for name, x in {**DATA, "notes_mask": np.ones(6, "bool")}.items()}
    voice = DATA["voice"].copy()
    voice[~DATA["voice_mask"]] = np.nan
    given["voice"] = tf.constant(voice)
    found = loaded.signatures["serving_default"](**given)["outputs"]
    np.testing.assert_allclose(found, outputs(model), atol=1e-5)
    shares = loaded.signatures["shares"](**given)["shares"]
    np.testing.assert_allclose(shares, to_numpy(model.compute_shares(DATA)), atol=1e-5)
    # A whole batch without one, of another size.
    given = {name: x[:2] for name, x in given.items()}
    given["record_mask"] = tf.zeros(2, "bool")
    found = loaded.signatures["serving_default"](**given)["outputs"]
    without = {name: x[:2] for name, x in DATA.items() if not name.startswith("record")}
    np.testing.assert_allclose(found, outputs(model, without), atol=1e-5)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="A SavedModel is TensorFlow's.")
def test_export_needs_every_modality(model, tmp_path):
    with pytest.raises(ValueError, match="Missing: 'voice'"):
        model.export(tmp_path, {**DATA, "voice": None})
    assert not list(tmp_path.iterdir())


def test_modality_dropout_is_active_only_in_training():
    model = make(modality_dropout=0.9)
    one, other = (to_numpy(model(DATA, training=False)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert np.abs(to_numpy(model(DATA, training=True)) - one).max() > 1e-3


def test_late_fusion_needs_no_head():
    model = make(head=False, strategy="late", combine="weighted_sum", num_outputs=2)
    assert outputs(model).shape == (6, 2)


def test_pooling_keras_encoders_keep_the_mask():
    """Of tokens that were pooled, a sample without any is without the modality."""
    words = keras.Sequential(
        [keras.layers.Embedding(9, 4, mask_zero=True), keras.layers.GlobalAveragePooling1D()]
    )
    model = FusionModel({"words": words}, FusionBlock(("words", "x"), dim=4, combine="gated"))
    data = {"words": DATA["notes"], "x": DATA["voice"]}
    whole = to_numpy(model(data))
    mask = np.array([[1, 1, 1, 1]] * 5 + [[0, 0, 0, 0]], "bool")
    found = to_numpy(model({**data, "words_mask": mask}))
    np.testing.assert_allclose(found[:5], whole[:5], atol=1e-6)
    np.testing.assert_allclose(found[5], to_numpy(model({"x": data["x"]}))[5], atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FusionModel({}, keras.layers.Dense(1)), "`fusion` must be a `FusionBlock`"),
        (
            lambda: FusionModel({"smell": VectorEncoder(4)}, FusionBlock(("text",))),
            "`encoders` has 'smell', which is not a modality of `fusion`: 'text'",
        ),
        (
            lambda: FusionModel({}, FusionBlock(("text",))).call({"smell": DATA["voice"]}),
            "`inputs` has 'smell', which is neither a modality .'text'. nor a mask",
        ),
        (lambda: FusionModel({}, FusionBlock(("text",))).call({"text": None}), "are missing"),
    ],
)
def test_invalid_arguments_are_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
