"""Models trained on data of changing ranks, which Keras would generalize to an unknown rank."""

import keras
import numpy as np
import pytest
from layer_checks import to_numpy
from models.captioning.small_captioners import small_captioner

from keras_mmfusion import FusionBlock, models
from keras_mmfusion.encoders import VectorEncoder
from keras_mmfusion.layers import SharedSpaceProjector
from keras_mmfusion.models import ContrastiveModel, FusionModel
from keras_mmfusion.models.steps_by_rank import StepsByRank

RNG = np.random.default_rng(0)
TOKENS = RNG.normal(size=(4, 5, 3)).astype("float32")
VECTORS = RNG.normal(size=(4, 2)).astype("float32")
SAMPLES, EACH = np.array([True, False, True, True]), RNG.random((4, 5)) < 0.7
BATCHES = [
    {"a": TOKENS, "b": VECTORS, "a_mask": EACH},
    {"a": TOKENS[:, 0], "b": VECTORS, "a_mask": SAMPLES},
]
TARGETS = RNG.normal(size=(4, 1)).astype("float32")


def squared_error(model, batch):
    return np.mean((to_numpy(model(batch)) - TARGETS) ** 2)


def fusion_model():
    block = FusionBlock(("a", "b"), dim=4, num_heads=1)
    model = FusionModel({"a": VectorEncoder(4)}, block, keras.layers.Dense(1))
    model.compile("sgd", "mse", jit_compile=False)
    return model


def test_fit_and_evaluate_with_changing_ranks():
    model = fusion_model()
    for batch in BATCHES:
        expected = squared_error(model, batch) if model.built else None
        [loss] = model.fit(batch, TARGETS, verbose=0).history["loss"]
        assert expected is None or loss == pytest.approx(expected, rel=1e-5)
        loss = model.evaluate(batch, TARGETS, verbose=0)
        assert loss == pytest.approx(squared_error(model, batch), rel=1e-5)


def test_single_batch_steps_with_changing_ranks():
    model = fusion_model()
    model(BATCHES[0])
    for batch in ({**BATCHES[0], "a_mask": SAMPLES}, BATCHES[0]):
        expected = squared_error(model, batch)
        assert model.test_on_batch(batch, TARGETS) == pytest.approx(expected, rel=1e-5)
        predicted = model.predict_on_batch(batch)
        np.testing.assert_allclose(predicted, to_numpy(model(batch)), rtol=1e-5, atol=1e-6)


def test_each_rank_is_compiled_once_per_compile():
    model = fusion_model()
    traces = []
    step = model.test_step
    model.test_step = lambda data: traces.append(1) or step(data)
    counts = []
    for batch in BATCHES * 2:
        model.evaluate(batch, TARGETS, verbose=0)
        counts.append(len(traces))
    if keras.config.backend() == "tensorflow":  # Other backends trace differently or not at all.
        assert counts[1] > counts[0] and counts[3] == counts[1]
    model.compile("sgd", "mae", jit_compile=False)
    loss = model.evaluate(BATCHES[0], TARGETS, verbose=0)
    expected = np.mean(np.abs(to_numpy(model(BATCHES[0])) - TARGETS))
    assert loss == pytest.approx(expected, rel=1e-5)


def test_captioner_with_one_and_several_captions():
    model = small_captioner()
    model.compile(jit_compile=False)
    tokens = RNG.normal(size=(3, 2, 8)).astype("float32")
    ids = RNG.integers(1, 9, (3, 6))
    several = {"image_tokens": tokens, "captions": np.stack([ids, ids], axis=1)}
    one = {"image_tokens": tokens, "captions": ids}
    losses = [model.evaluate(data, data["captions"], verbose=0)[0] for data in (several, one)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_contrastive_model_with_tokens_and_vectors():
    projectors = {name: SharedSpaceProjector(4, num_heads=1) for name in "ab"}
    encoders = {name: VectorEncoder(4) for name in "ab"}
    model = ContrastiveModel(encoders, projectors=projectors)
    model.compile(jit_compile=False)
    data = {"a": TOKENS, "b": VECTORS, "a_mask": EACH | [True, False, False, False, False]}
    model.evaluate(data, verbose=0)
    one_token = {"a": TOKENS[:, :1], "b": VECTORS, "a_mask": np.ones((4, 1), "bool")}
    vector = {"a": TOKENS[:, 0], "b": VECTORS, "a_mask": np.ones(4, "bool")}
    expected, found = (model.evaluate(each, verbose=0) for each in (one_token, vector))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_all_models_compile_by_rank():
    classes = [getattr(models, name) for name in models.__all__]
    classes = [each for each in classes if isinstance(each, type) and issubclass(each, keras.Model)]
    assert {FusionModel, ContrastiveModel} <= {*classes}
    assert all(issubclass(each, StepsByRank) for each in classes)
