"""Explanations of the responses of multimodal language models."""

import keras
import numpy as np
import pytest
from keras import ops
from models.language.small_language_models import scale_weights, small_llama, small_preprocessor

from keras_mmfusion.explain import explain
from keras_mmfusion.models import MultimodalLM, MultimodalPreprocessor

IMAGE = np.random.default_rng(0).normal(size=(4, 4, 3)).astype("float32")
SAMPLE = {"prompt": "a<image>bc", "image": IMAGE}


pytestmark = pytest.mark.usefixtures("eager")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(6, 2, 2)])
    preprocessor = MultimodalPreprocessor(small_preprocessor(), {"image": 4})
    model = MultimodalLM(small_llama(), {"image": encoder}, preprocessor=preprocessor)
    scale_weights(model)
    return model


def compute_score(model, sample, response, removed=()):
    """Computes the log-probability of a response; removed tokens are replaced as by `explain`."""
    encoded = model.preprocessor.encode_text(
        sample["prompt"], {"image": [sample["image"]]}, response
    )
    inputs = model.preprocessor.pack([encoded])
    ids = inputs["token_ids"]
    for position, token_id in removed:
        ids[0, position] = token_id
    logits = np.float64(ops.convert_to_numpy(model(inputs)))[0]
    log_probs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    answer = np.flatnonzero(encoded.is_answer)
    return sum(log_probs[row - 1, ids[0, row]] for row in answer)


def test_score_is_the_log_probability_of_the_response(model):
    explanation = explain(model, SAMPLE, "de", "occlusion", "token")
    score = compute_score(model, SAMPLE, "de")
    assert explanation.score == pytest.approx(score, abs=1e-4)
    assert explanation.values["image"].shape == (2, 2)
    labels = explanation.labels["prompt"]
    assert labels.count("<image>") == 4
    values = dict(zip(labels, explanation.values["prompt"], strict=True))
    assert values["<image>"] == 0  # Placeholders are never removed.
    corner = IMAGE.copy()
    corner[:2, :2] = np.median(IMAGE, axis=(0, 1))
    without = compute_score(model, {**SAMPLE, "image": corner}, "de")
    assert explanation.values["image"][0, 0] == pytest.approx(score - without, abs=1e-4)


def test_shapley_values_of_modalities_add_up(model):
    explanation = explain(model, SAMPLE, "de")
    assert set(explanation.values) == {"image", "prompt"}
    assert explanation.checks["completeness_error"] < 1e-4
    mean = np.full_like(IMAGE, IMAGE.mean())
    given = explain(model, SAMPLE, "de", baselines={"image": mean})
    assert given.removal["image"] == "replaced by the given baseline"


@pytest.mark.parametrize("method", ["integrated_gradients", "grad_cam"])
def test_gradient_methods_fit(model, method):
    explanation = explain(model, SAMPLE, "de", method, "token")
    assert np.isfinite(explanation.values["image"]).all()
    assert np.any(explanation.values["image"])


def test_invalid_samples_raise(model):
    with pytest.raises(ValueError, match="`target` must be the response.*Received: None"):
        explain(model, SAMPLE)
    with pytest.raises(ValueError, match="`inputs` must be a dict.*'prompt'"):
        explain(model, {"image": IMAGE}, "de")
    with pytest.raises(ValueError, match="does not fit: the model has no attention layers"):
        explain(model, SAMPLE, "de", "attention", "token")
    with pytest.raises(ValueError, match="marker '<image>' for each item"):
        explain(model, {"prompt": "ab", "image": IMAGE}, "de")
