"""Quantized models: saving, loading, training and export."""

import warnings

import keras
import numpy as np
import pytest
from layer_checks import to_numpy
from models.captioning.small_captioners import color_images, small_captioner
from models.recommendation.planted_tastes import make_interactions
from models.retrieval import small_embedders
from models.sentiment.small_utterances import DIMS, small_sentiment_model

from keras_mmfusion import (
    FusionBlock,
    FusionModel,
    ImageCaptioningModel,
    TransformerCaptioner,
    _keras_internals,
)
from keras_mmfusion.models import GradientBlendingModel
from keras_mmfusion.models.node_classification import (
    APPNPClassifier,
    GATClassifier,
    GCN2Classifier,
    GCNClassifier,
)
from keras_mmfusion.models.recommendation import BPRRecommender

# Keras's quantizer transposes in this way on PyTorch.
pytestmark = pytest.mark.filterwarnings("ignore:.*The use of `x.T` on tensors:UserWarning")
RNG = np.random.default_rng(0)
TOKENS = {name: RNG.normal(size=(4, 3, 5)).astype("float32") for name in ("image", "text")}


def captioner(cls):
    images = RNG.normal(size=(2, 32, 32, 3)).astype("float32")
    return small_captioner(cls), {"images": images, "captions": np.array([[1, 4, 5], [1, 5, 6]])}


def fusion(cls=FusionModel, **settings):
    keras.utils.set_random_seed(0)
    encoders = {name: keras.layers.Dense(6, name=f"{name}_encoder") for name in TOKENS}
    fusion = FusionBlock(("image", "text"), combine="concat", dim=8, name="fusion")
    return cls(encoders, fusion, keras.layers.Dense(1, name="head"), **settings), TOKENS


def embedder():
    model = small_embedders.small_embedder()
    ids = np.array([[2, 5, 6, 3], [2, 6, 5, 3]])
    return model, {
        "image": RNG.normal(size=(2, *small_embedders.SIZE, 3)).astype("float32"),
        "text": {"token_ids": ids, "padding_mask": ids > 0},
    }


def sentiment():
    shapes = {name: (2, 3, dim) for name, dim in DIMS.items()}
    inputs = {name: RNG.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    return small_sentiment_model(), inputs


def recommender(model):
    interactions, _, items = make_interactions()
    model.adapt(interactions, items)
    return model, {"users": np.arange(3)}


def classifier(cls, **settings):
    inputs = {
        "feature_index": np.array([[0, 1, 2, 2], [1, 3, 0, 4]]),
        "feature_values": np.ones(4, "float32"),
        "edge_index": np.array([[0, 1, 1, 2], [1, 0, 2, 1]]),
        "source_scale": np.ones(3, "float32"),
    }
    return cls(5, 3, **settings), inputs


MODELS = {
    "ImageCaptioningModel": lambda: captioner(ImageCaptioningModel),
    "TransformerCaptioner": lambda: captioner(TransformerCaptioner),
    "FusionModel": fusion,
    "GradientBlendingModel": lambda: fusion(GradientBlendingModel),
    "ContrastiveModel": embedder,
    "ConversationModel": sentiment,
    "GCNClassifier": lambda: classifier(GCNClassifier, hidden_dim=4),
    "GATClassifier": lambda: classifier(GATClassifier, head_dim=4, num_heads=2),
    "APPNPClassifier": lambda: classifier(APPNPClassifier, hidden_dim=4),
    "GCN2Classifier": lambda: classifier(GCN2Classifier, hidden_dim=4, num_layers=2),
}


def outputs(model, inputs):
    return [to_numpy(each) for each in keras.tree.flatten(model(inputs, training=False))]


def assert_same(model, inputs, expected):
    for found, each in zip(outputs(model, inputs), expected, strict=True):
        np.testing.assert_allclose(found, each, rtol=1e-5, atol=1e-5)


def integer_weights(model):
    return sum(weight.dtype == "int8" for weight in model.weights)


@pytest.mark.parametrize("name", MODELS)
def test_quantized_models_save_and_load(name, tmp_path):
    model, inputs = MODELS[name]()
    exact = outputs(model, inputs)
    model.quantize("int8")
    kernels = integer_weights(model)
    expected = outputs(model, inputs)
    for found, each in zip(expected, exact, strict=True):
        np.testing.assert_allclose(found, each, atol=0.5 * np.abs(each).max())

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert integer_weights(loaded) == kernels
    assert_same(loaded, inputs, expected)

    other, _ = MODELS[name]()  # Is quantized when loading quantized weights.
    outputs(other, inputs)
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    assert_same(other, inputs, expected)

    if hasattr(model, "save_to_preset"):
        model.save_to_preset(tmp_path / "preset")
        loaded = type(model).from_preset(tmp_path / "preset")
        assert integer_weights(loaded) == kernels
        assert_same(loaded, inputs, expected)


def test_quantized_preset_is_loaded_into_unspecified_values(tmp_path, monkeypatch):
    model, inputs = captioner(TransformerCaptioner)
    model.quantize("int8")
    expected = outputs(model, inputs)
    model.save_to_preset(tmp_path)

    def make_nan(shape, dtype):
        return keras.ops.full(shape, np.nan, dtype)

    monkeypatch.setattr(_keras_internals, "_make_empty", make_nan)
    assert_same(TransformerCaptioner.from_preset(tmp_path), inputs, expected)


def test_quantize_converts_dense_kernels():
    model, inputs = fusion()
    outputs(model, inputs)
    model.quantize("int8")
    assert integer_weights(model) == 6


def test_quantize_without_matching_layers_raises_an_error():
    model, _ = recommender(BPRRecommender(4))
    with pytest.raises(
        ValueError, match="BPRRecommender has no layer that Keras can quantize, a dense"
    ):
        model.quantize("int8")
    model, inputs = fusion()
    outputs(model, inputs)
    with pytest.raises(ValueError, match="a dense layer or an embedding, that matches `filters`"):
        model.quantize("int8", filters="nothing")


def test_captioner_generates_with_quantized_weights():
    model, _ = captioner(TransformerCaptioner)
    exact = model.generate(color_images(1), beams=1, max_length=3, details=True)[0]
    model.quantize("int8")
    quantized = model.generate(color_images(1), beams=1, max_length=3, details=True)[0]
    assert quantized.score != exact.score
    assert np.isfinite(quantized.score)


def test_embeddings_use_quantized_weights():
    model, _ = embedder()
    exact = model.embed("text", small_embedders.SENTENCES)
    model.quantize("int8")
    quantized = model.embed("text", small_embedders.SENTENCES)
    assert np.any(quantized != exact)
    np.testing.assert_allclose(quantized, exact, atol=0.2)


def test_quantized_model_trains_float_weights():
    model, inputs = fusion()
    model.compile(keras.optimizers.Adam(0.1), "mse", run_eagerly=True)
    targets = np.ones((4, 1))
    model.fit(inputs, targets, verbose=0)
    model.quantize("int8")
    before = model.evaluate(inputs, targets, verbose=0)
    with warnings.catch_warnings():
        # Quantized kernels have no gradient.
        warnings.filterwarnings("ignore", "Gradients do not exist")
        model.fit(inputs, targets, epochs=5, verbose=0)
    assert model.evaluate(inputs, targets, verbose=0) < before


def test_quantize_with_filters(tmp_path):
    model, inputs = fusion()
    outputs(model, inputs)
    model.quantize("int8", filters="encoder")
    assert integer_weights(model) == 2
    model.save(tmp_path / "model.keras")
    assert integer_weights(keras.saving.load_model(tmp_path / "model.keras")) == 2


def test_quantize_with_config(tmp_path):
    model, inputs = fusion()
    outputs(model, inputs)
    weights_only = keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
    model.quantize(config=weights_only)
    expected = outputs(model, inputs)
    model.save(tmp_path / "model.keras")
    assert_same(keras.saving.load_model(tmp_path / "model.keras"), inputs, expected)


def test_quantized_preset_in_half_precision(tmp_path):
    model, _ = captioner(TransformerCaptioner)
    model.quantize("int8")
    model.save_to_preset(tmp_path / "preset")
    loaded = TransformerCaptioner.from_preset(tmp_path / "preset", dtype="mixed_bfloat16")
    assert integer_weights(loaded) == integer_weights(model)
    assert loaded.text_decoder.compute_dtype == "bfloat16"
    assert len(loaded.generate(color_images(2), beams=1, max_length=3)) == 2


def test_quantize_requires_a_built_model():
    model, _ = fusion()
    with pytest.raises(ValueError, match="Cannot quantize a layer that isn't yet built"):
        model.quantize("int8")


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="exports by TensorFlow")
def test_quantized_model_export(tmp_path):
    import tensorflow as tf

    model, inputs = fusion()
    outputs(model, inputs)
    model.quantize("int8")
    expected = outputs(model, inputs)[0]
    served = tf.saved_model.load(model.export(tmp_path, inputs)).signatures["serving_default"]
    names = served.structured_input_signature[1]
    given = {
        name: tf.constant(inputs[name]) if name in inputs else tf.ones(4, "bool") for name in names
    }
    (found,) = served(**given).values()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
