"""Functional models of KerasHub change the base classes of its other models."""

import keras
import keras_hub
import numpy as np
from models.captioning.small_captioners import small_captioner

from keras_mmfusion.models import Gpt2LanguageModel, LlamaBackbone, LlamaLanguageModel


def test_functional_language_models_and_captioners_work_in_any_order():
    ids = np.ones((1, 3), "int32")
    inputs = {"token_ids": ids, "padding_mask": ids}
    first = small_captioner()
    models = [
        LlamaLanguageModel(LlamaBackbone(20, 1, 2, 8, 12, 1, tie_word_embeddings=True)),
        Gpt2LanguageModel(keras_hub.models.GPT2Backbone(20, 1, 1, 4, 4)),
    ]
    second = small_captioner()
    assert len(first.layers) == len(second.layers) > 0
    images, captions = np.ones((1, 32, 32, 3), "float32"), np.ones((1, 3), "int32")
    outputs = [keras.ops.convert_to_numpy(each(images, captions)) for each in (first, second)]
    np.testing.assert_allclose(*outputs)
    for model in models:
        assert tuple(model(inputs).shape) == (1, 3, 20)
        assert model.layers
