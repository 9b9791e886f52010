"""Mean contributions of modalities over samples."""

import json

import keras
import numpy as np
import pytest

from keras_mmfusion import FusionBlock
from keras_mmfusion.explain import DatasetExplanation, Occlusion, explain, explain_dataset
from keras_mmfusion.models import FusionModel

SAMPLES = 12


@pytest.fixture(scope="module")
def model_and_samples():
    """A model and its samples."""
    rng = np.random.default_rng(0)
    data = {name: rng.normal(size=(SAMPLES, 3)).astype("float32") for name in ("noise", "signal")}
    keras.utils.set_random_seed(0)
    model = FusionModel(
        {}, FusionBlock(("noise", "signal"), combine="concat", dim=4), keras.layers.Dense(1)
    )
    model(data)
    return model, [{name: x[row] for name, x in data.items()} for row in range(SAMPLES)]


def test_values_are_those_of_each_sample(model_and_samples):
    model, samples = model_and_samples
    samples = [*samples[:3], {"signal": samples[3]["signal"], "noise": None}]
    explanation = explain_dataset(model, samples, method="occlusion")
    assert explanation.modalities == ("noise", "signal") and explanation.values.shape == (4, 2)
    expected = explain(model, samples[1], method=Occlusion())
    np.testing.assert_allclose(explanation.values[1], list(expected.values.values()), atol=1e-6)
    np.testing.assert_allclose(explanation.degrees.sum(axis=1), 1)
    assert explanation.values[3, 0] == 0 and explanation.degrees[3, 1] == 1


def test_summary_has_means_and_intervals(tmp_path):
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    values = rng.normal(loc=[0.0, 2.0], size=(40, 2))
    degrees = np.tile([0.25, 0.75], (40, 1))
    explanation = DatasetExplanation(("a", "b"), values, degrees, "Occlusion()", "modality")
    summary = explanation.summarize()
    assert summary["b"]["mean"] == pytest.approx(values[:, 1].mean())
    assert summary["b"]["low"] < summary["b"]["mean"] < summary["b"]["high"]
    assert summary["b"]["low"] > summary["a"]["high"] and summary["a"]["degree"] == 0.25
    assert explanation.summarize() == summary != explanation.summarize(confidence=0.5)
    assert json.loads(explanation.to_json())["summary"] == summary
    assert len(explanation.plot(tmp_path / "bars.png").axes[0].patches) == 2
    assert "samples=40" in repr(explanation)


def test_invalid_samples_raise_with_their_index(model_and_samples):
    model, samples = model_and_samples
    with pytest.raises(ValueError, match="`samples` must have at least one sample"):
        explain_dataset(model, [])
    with pytest.raises(ValueError, match="`samples\\[1\\]`: `inputs` must be a dict"):
        explain_dataset(model, [samples[0], {"video": 1}], method="occlusion")
    with pytest.raises(ValueError, match="one target for each of 2 samples. Received: 1 targets"):
        explain_dataset(model, samples[:2], target=[0])
