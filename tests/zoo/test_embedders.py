import numpy as np
import pytest
from models.retrieval.small_embedders import SENTENCES, make_images

from keras_mmfusion.models import ContrastiveModel
from keras_mmfusion.zoo import embedder


def test_preset_folder_loads_with_its_weights(embedder_preset):
    first, second = embedder(embedder_preset), embedder(embedder_preset)

    assert isinstance(first, ContrastiveModel)
    for name, raw in (("image", make_images()), ("text", SENTENCES)):
        np.testing.assert_array_equal(first.embed(name, raw), second.embed(name, raw))


def test_preset_loads_with_another_dtype(embedder_preset):
    model = embedder(embedder_preset, dtype="mixed_bfloat16")
    expected = embedder(embedder_preset).embed("text", SENTENCES)

    assert model.text_encoder.compute_dtype == "bfloat16"
    np.testing.assert_allclose(model.embed("text", SENTENCES), expected, atol=0.05)


def test_preset_of_another_task_is_an_error(captioner_preset):
    with pytest.raises(ValueError, match="not a ContrastiveModel"):
        embedder(captioner_preset)


def test_unknown_preset_is_an_error():
    with pytest.raises(ValueError, match="Unknown preset 'image_text_flickr9k'"):
        embedder("image_text_flickr9k")
