import json

import keras
import numpy as np
import pytest
from survival_patients import GROUPS, make_patients

from keras_mmfusion.models import FusionModel, SurvivalModel
from keras_mmfusion.models.survival import SurvivalRecipe, evaluate_survival, train_survival
from keras_mmfusion.models.survival.survival_curves import compute_risks, compute_survival

RECIPE = SurvivalRecipe(dim=8, feature_dropout=0.1, epochs=30, learning_rate=1e-2)


@pytest.fixture(scope="module")
def trained():
    return train_survival(RECIPE, make_patients(), GROUPS)


def test_curves_and_risks_match_their_definition():
    logits, boundaries = np.array([[0.0, 1.0], [-3.0, 2.0]]), (2.0, 5.0)
    hazards = 1 / (1 + np.exp(-logits))
    survival = np.cumprod(1 - hazards, axis=1)
    np.testing.assert_allclose(compute_survival(logits, boundaries), survival)
    curve = compute_survival(logits, boundaries, [0.0, 1.0, 2.0, 5.0])
    np.testing.assert_allclose(curve[:, [0, 2, 3]], np.c_[np.ones(2), survival])
    np.testing.assert_allclose(curve[:, 1], np.sqrt(survival[:, 0]))  # a constant hazard
    grid = np.linspace(0, 5, 20001)
    areas = np.trapezoid(compute_survival(logits, boundaries, grid), grid, axis=1)
    np.testing.assert_allclose(compute_risks(logits, boundaries), 5 - areas, rtol=1e-6)
    with pytest.raises(ValueError, match="from 0 to the last boundary, 5. Received: 6"):
        compute_survival(logits, boundaries, [6.0])


def test_trained_model_ranks_new_patients(trained):
    data = make_patients(seed=1)
    result = evaluate_survival(trained, data, make_patients())
    assert result.metrics["c_index"] > 0.65 and result.metrics["uno_c_index"] > 0.65
    assert result.metrics["brier"] < result.metrics["brier_kaplan_meier"]
    assert result.metrics["log_rank_p"] < 0.01
    assert set(result.protocol["curves"]) == {"high_risk", "low_risk"}
    json.dumps(result.to_json())
    curves = trained.predict_survival(data.make_inputs())
    assert (np.diff(curves, axis=1) <= 0).all() and curves.max() <= 1 and curves.min() >= 0


def test_missing_modality_does_not_affect_predictions(trained):
    inputs = make_patients(seed=1).make_inputs()
    expected = trained.predict_risks(inputs)
    changed = {**inputs, "clinical": inputs["clinical"].copy()}
    changed["clinical"][~inputs["clinical_mask"]] = 99.0
    np.testing.assert_allclose(trained.predict_risks(changed), expected, rtol=1e-6)
    assert np.isfinite(expected).all()


def test_model_is_saved_as_file_and_preset(trained, tmp_path):
    inputs = make_patients(seed=1).make_inputs()
    expected = trained.predict_survival(inputs)
    trained.save(tmp_path / "model.keras")
    trained.save_to_preset(tmp_path / "preset")
    for loaded in (
        keras.models.load_model(tmp_path / "model.keras"),
        FusionModel.from_preset(tmp_path / "preset"),
    ):
        assert isinstance(loaded, SurvivalModel) and loaded.boundaries == trained.boundaries
        np.testing.assert_allclose(loaded.predict_survival(inputs), expected, rtol=1e-5)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="TensorFlow Serving")
def test_exported_model_returns_survival(trained, tmp_path):
    import tensorflow as tf

    inputs = make_patients(seed=1).make_inputs()
    path = trained.export(tmp_path, inputs)
    signature = tf.saved_model.load(path).signatures["serving_default"]
    outputs = signature(**{name: tf.constant(value) for name, value in inputs.items()})
    np.testing.assert_allclose(
        outputs["survival"], trained.predict_survival(inputs), rtol=1e-4, atol=1e-6
    )


def test_invalid_data_raises_an_error(trained):
    data = make_patients()
    with pytest.raises(ValueError, match="are censored"):
        train_survival(RECIPE, data.select(~data.events))
    with pytest.raises(ValueError, match="needs the modality 'clinical'"):
        evaluate_survival(trained, data.keep_modalities(["expression"]))
