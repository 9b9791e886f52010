"""Models give the same results for integer, bool and float features."""

import dataclasses

import keras
import numpy as np
import pytest
from layer_checks import DTYPES, to_numpy
from models.recommendation.planted_tastes import make_interactions

from keras_mmfusion import FusionBlock
from keras_mmfusion.datasets import LabeledGraph
from keras_mmfusion.encoders import TokenEncoder, VectorEncoder
from keras_mmfusion.layers import SharedSpaceProjector
from keras_mmfusion.models import ContrastiveModel, FusionModel
from keras_mmfusion.models.node_classification import GCNClassifier, make_node_inputs
from keras_mmfusion.models.recommendation import VBPRRecommender

RNG = np.random.default_rng(0)
VECTORS, TOKENS = (RNG.random(shape) < 0.5 for shape in ((4, 3), (4, 5, 2)))
INPUTS = {"a": VECTORS, "b": TOKENS, "c": VECTORS}


def of_dtype(dtype):
    return {name: value.astype(dtype) for name, value in INPUTS.items()}


def fusion_model():
    encoders = {"a": VectorEncoder(4), "b": TokenEncoder(4, num_heads=1)}
    return FusionModel(encoders, FusionBlock(("a", "b", "c"), dim=4), keras.layers.Dense(2))


def contrastive_model():
    encoders = {name: VectorEncoder(4) for name in INPUTS}
    projectors = {name: SharedSpaceProjector(4, num_heads=1) for name in INPUTS}
    return ContrastiveModel(encoders, projectors=projectors)


@pytest.mark.parametrize("make", [fusion_model, contrastive_model])
def test_multimodal_models_accept_integer_features(make):
    model = make()
    expected = keras.tree.map_structure(to_numpy, model(of_dtype("float32")))
    for dtype in DTYPES:
        found = keras.tree.map_structure(to_numpy, model(of_dtype(dtype)))
        keras.tree.map_structure(
            lambda one, other: np.testing.assert_allclose(one, other, atol=1e-5), found, expected
        )


@pytest.mark.parametrize("dtype", ["int32", "bool", "float64"])
def test_node_classifier_accepts_integer_features(dtype):
    splits = (np.array([0]), np.array([1]), np.array([2]))
    edges, labels = np.array([[0, 1, 2], [1, 2, 0]], "int32"), np.array([0, 1, 0, 1], "int32")
    model = GCNClassifier(3, 2)
    graphs = [LabeledGraph(VECTORS.astype(d), edges, labels, *splits) for d in ("float32", dtype)]
    expected, found = (to_numpy(model(make_node_inputs(graph))) for graph in graphs)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    inputs = make_node_inputs(graphs[1])
    ones = np.ones_like(inputs["feature_values"])
    expected = to_numpy(model({**inputs, "feature_values": ones}))
    found = to_numpy(model({**inputs, "feature_values": ones.astype(dtype)}))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_recommender_accepts_integer_features(dtype):
    train, _, items = make_interactions()
    kept = []
    for kind in ("float32", dtype):
        tags = {name: (values > 0).astype(kind) for name, values in items.features.items()}
        model = VBPRRecommender(4)
        model.adapt(train, dataclasses.replace(items, features=tags))
        kept.append({name: to_numpy(values) for name, values in model.features.items()})
    for name, values in kept[0].items():
        assert np.isfinite(values).all() and values.any()
        np.testing.assert_allclose(kept[1][name], values, atol=1e-6)
