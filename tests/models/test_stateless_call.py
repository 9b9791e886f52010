"""Training with `stateless_call`, which `fit` uses on JAX.

Keras sets no call context there, so models must pass `training` to their layers explicitly, or
dropout is not applied.
"""

import keras
import numpy as np
import pytest
from layer_checks import to_numpy

from keras_mmfusion import CrossModalAttention, ImageCaptioningModel, TextDecoder
from keras_mmfusion.encoders import TokenEncoder, VectorEncoder
from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.models import (
    ContrastiveModel,
    ConversationModel,
    FusionModel,
    GradientBlendingModel,
)
from keras_mmfusion.models.fusion.modality_alone import ModalityAlone

VECTORS = {"a": np.ones((4, 6), "float32"), "b": np.ones((4, 6), "float32")}


def dropping():
    return VectorEncoder(8, dropout=0.5)


def plain_head():
    return keras.layers.Dense(3)


def dropping_head():
    return keras.Sequential([keras.layers.Dropout(0.5), keras.layers.Dense(3)])


def fusion(model=FusionModel, encoder=dropping, head=plain_head):
    block = FusionBlock(("a", "b"), combine="concat", dim=8)
    return model({name: encoder() for name in ("a", "b")}, block, head=head())


def conversation():
    block = FusionBlock(("a", "b"), combine="concat", dim=8)
    utterances = FusionModel({name: VectorEncoder(8) for name in ("a", "b")}, block)
    return ConversationModel(utterances, TokenEncoder(8), keras.layers.Dropout(0.5))


def captioner():
    image_encoder = keras.Sequential([keras.layers.Dropout(0.5), keras.layers.Conv2D(8, 4, 4)])
    decoder = TextDecoder(10, dim=8, num_layers=1, num_heads=2, sequence_length=6, dropout=0.0)
    return ImageCaptioningModel(image_encoder, decoder, CrossModalAttention(2))


IMAGES = {"images": np.ones((2, 8, 8, 3), "float32"), "captions": np.ones((2, 3), "int32")}
TOKENS = {name: np.ones((2, 3, 6), "float32") for name in ("a", "b")}
MODELS = {
    "fusion": (fusion, VECTORS),
    "head": (lambda: fusion(encoder=lambda: VectorEncoder(8), head=dropping_head), VECTORS),
    "blending": (lambda: fusion(GradientBlendingModel), VECTORS),
    "alone": (lambda: ModalityAlone("a", dropping(), plain_head()), VECTORS),
    "conversation": (conversation, TOKENS),
    "captioner": (captioner, IMAGES),
    "contrastive": (lambda: ContrastiveModel({"a": dropping(), "b": dropping()}), VECTORS),
}


@pytest.mark.parametrize("name", MODELS)
def test_stateless_call_applies_dropout_in_training(name):
    make_model, inputs = MODELS[name]
    model = make_model()
    model(inputs)

    def outputs(training):
        state = model.trainable_variables, model.non_trainable_variables
        found = model.stateless_call(*state, inputs, training=training)[0]
        return [to_numpy(each) for each in keras.tree.flatten(found)][-1]

    # All samples are equal, so only dropout makes the outputs differ.
    assert np.ptp(outputs(training=False), axis=0) == pytest.approx(0, abs=1e-5)
    assert np.ptp(outputs(training=True), axis=0).max() > 1e-3
