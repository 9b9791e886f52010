"""NaN in features: errors that name the modality, for all types of data."""

import keras
import numpy as np
import pytest

from keras_mmfusion import CrossModalAttention, FusionBlock, ImageCaptioningModel, TextDecoder
from keras_mmfusion.datasets import LabeledGraph, NeighborSampler
from keras_mmfusion.encoders import TableEncoder, VectorEncoder
from keras_mmfusion.models import ContrastiveModel, FusionModel
from keras_mmfusion.models.node_classification import GCNClassifier, make_node_inputs

SOUND = np.ones((4, 3, 2), "float32")
SOUND[2, 1] = np.nan
TABLE = np.array([[1.0], [np.nan], [0.0], [2.0]])
TARGETS = np.zeros((4, 1))
UNMASKED = {"sound": SOUND, "table": TABLE}
TOKENS_MASK = ~np.isnan(SOUND).any(axis=-1)


class Batches(keras.utils.PyDataset):
    def __init__(self, inputs):
        super().__init__()
        self.inputs = inputs

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.inputs, TARGETS


@pytest.fixture(scope="module")
def model():
    encoders = {"table": TableEncoder(4, (3,))}
    model = FusionModel(encoders, FusionBlock(("sound", "table"), dim=4), keras.layers.Dense(1))
    model.compile("sgd", "mse", run_eagerly=True)
    return model


@pytest.mark.parametrize(
    "mask", [TOKENS_MASK, TOKENS_MASK.all(axis=1), TOKENS_MASK.astype("int32")]
)
def test_masked_nan_and_empty_table_cells_are_accepted(model, mask):
    data = {**UNMASKED, "sound_mask": mask}
    [loss] = model.fit(data, TARGETS, validation_data=(data, TARGETS), verbose=0).history["loss"]
    assert np.isfinite(loss)
    assert np.isfinite(model.evaluate(Batches(data), verbose=0))
    assert np.isfinite(model.predict(data, verbose=0)).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda model, data: model.fit(data, TARGETS, verbose=0),
        lambda model, data: model.evaluate(data, TARGETS, verbose=0),
        lambda model, data: model.predict(data, verbose=0),
        lambda model, data: model._check_data(Batches(data))[0],
        lambda model, data: model._check_data((data, TARGETS)),  # as of `validation_data`
    ],
)
def test_unmasked_nan_raises_an_error(model, call):
    with pytest.raises(ValueError, match="'sound' contains NaN .* 'sound_mask'.* is in sample 2"):
        call(model, UNMASKED)
    wrong = {**UNMASKED, "sound_mask": np.ones((4, 3), "bool")}
    with pytest.raises(ValueError, match="'sound' contains NaN"):
        call(model, wrong)


def test_unmasked_nan_in_a_dataset_raises_an_error(model):
    tf = pytest.importorskip("tensorflow")
    data = {**UNMASKED, "sound_mask": TOKENS_MASK}
    known = model._check_data(tf.data.Dataset.from_tensor_slices((data, TARGETS)).batch(2))
    assert [len(targets) for _, targets in known] == [2, 2]
    [inputs] = model._check_data(tf.data.Dataset.from_tensors(data))
    np.testing.assert_array_equal(inputs["sound"], SOUND)
    with pytest.raises(tf.errors.InvalidArgumentError, match="sound.* contains NaN"):
        list(model._check_data(tf.data.Dataset.from_tensors((UNMASKED, TARGETS))))


def test_contrastive_model_rejects_nan():
    model = ContrastiveModel({name: VectorEncoder(4) for name in ("sound", "table")})
    model.compile(run_eagerly=True)
    data = {"sound": SOUND[:, 1], "table": np.ones((4, 1))}
    for call in (model.fit, model.evaluate, model.predict):
        with pytest.raises(ValueError, match="'sound' contains NaN"):
            call(data, verbose=0)
        with pytest.raises(ValueError, match="'sound_tokens' contains NaN.* Pass 'sound_mask'"):
            call({"sound_tokens": SOUND, "table": np.ones((4, 1))}, verbose=0)
    for call in (
        lambda: model.embed("sound", SOUND[:, 1]),
        lambda: model.retrieve({"table": np.ones((4, 1))}, {"sound": SOUND[:, 1]}),
    ):
        with pytest.raises(ValueError, match="'sound' contains NaN"):
            call()


def test_graph_modality_rejects_nan():
    class Nodes(keras.layers.Layer):
        def call(self, graph):
            return graph["node_features"][:, 0]

    model = FusionModel({"scene": Nodes()}, FusionBlock(("scene", "sound"), dim=4))
    graph = {"node_features": SOUND, "node_mask": np.ones((4, 3), "int32")}
    data = {"scene": graph, "sound": np.ones((4, 2))}
    for check in (model.check_nan, lambda data: model.check_nan((data, TARGETS))):
        with pytest.raises(
            ValueError, match="'scene/node_features' contains NaN.* Pass 'node_mask'"
        ):
            check(data)
    model.check_nan({**data, "scene": {**graph, "node_mask": TOKENS_MASK}})
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        with pytest.raises(tf.errors.InvalidArgumentError, match="scene/node_features"):
            list(model._check_data(tf.data.Dataset.from_tensors((data, TARGETS))))


def test_captioner_rejects_nan():
    decoder = TextDecoder(9, dim=4, num_layers=1, num_heads=1)
    model = ImageCaptioningModel(keras.layers.Dense(4), decoder, CrossModalAttention(1, 4))
    data = {"image_tokens": SOUND, "captions": np.ones((4, 2), "int32")}
    targets = np.ones((4, 2))
    for call in (
        lambda: model.fit(data, targets, verbose=0),
        lambda: model.fit(x=Batches(data), verbose=0),
        lambda: model.evaluate(data, targets, verbose=0),
        lambda: model.predict(data, verbose=0),
        lambda: model.predict({**data, "images": SOUND}, verbose=0),
    ):
        with pytest.raises(
            ValueError, match="'image(s|_tokens)' contains NaN.* Replace NaN by numbers"
        ):
            call()


def test_node_classifier_rejects_nan():
    edges = np.array([[0, 1, 2], [1, 2, 0]], "int32")
    features = np.array([[0, 1], [1, np.nan], [1, 0]], "float32")
    splits = (np.array([0]), np.array([1]), np.array([2]))
    labels = np.array([0, 1, 0], "int32")
    with pytest.raises(ValueError, match=r"`node_features` has NaN for these nodes: \[1\]"):
        LabeledGraph(features, edges, labels, *splits)
    graph = {"node_features": features, "edge_index": edges}
    with pytest.raises(ValueError, match=r"`node_features` has NaN for these nodes: \[1\]"):
        NeighborSampler(graph, labels, np.array([0]))
    masked = NeighborSampler({**graph, "node_mask": [1, 0, 1]}, labels, np.array([0]))
    assert np.isfinite(masked[0][0]["node_features"]).all()
    inputs = make_node_inputs(LabeledGraph(np.nan_to_num(features), edges, labels, *splits))
    inputs["feature_values"][0] = np.nan
    with pytest.raises(ValueError, match="'node_features' contains NaN"):
        GCNClassifier(2, 2).predict(Batches(inputs), verbose=0)
