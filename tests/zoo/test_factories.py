"""Factories of the zoo, and loading of any preset."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

from keras_mmfusion.models import (
    BlipQuestionAnswerer,
    ContrastiveModel,
    ConversationModel,
    TransformerCaptioner,
)
from keras_mmfusion.zoo import captioner, image_encoder, load_preset, vqa


def test_zoo_imports_no_heavy_packages():
    code = (
        "import sys; from keras_mmfusion.zoo import captioner, image_encoder, resolve_preset;"
        "assert callable(captioner);"
        "heavy = {'keras', 'keras_hub', 'tensorflow', 'torch', 'jax', 'numpy', 'rich'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "[]", run.stderr


@pytest.mark.parametrize("factory", [captioner, image_encoder, load_preset, vqa])
def test_unknown_preset_is_an_error(factory):
    with pytest.raises(ValueError, match="Unknown preset 'captioner_flickr7k'"):
        factory("captioner_flickr7k")


def test_weights_other_than_pretrained_or_none_are_an_error():
    with pytest.raises(ValueError, match="`weights` must be 'pretrained' or None"):
        captioner(weights="imagenet")


@pytest.mark.parametrize("name", ["image_encoder", "dim"])
def test_arguments_of_untrained_captioners_need_weights_none(name):
    with pytest.raises(ValueError, match=f"`{name}` needs `weights=None`"):
        captioner(**{name: 8})


def test_image_encoder_loads_from_the_zoo(cache):
    name = "efficientnet_lite0_imagenet"
    published = pathlib.Path(__file__).parents[2] / "zoo" / name
    encoder = image_encoder(name, image_size=64, trainable=False)
    same = image_encoder(published, image_size=64)

    assert encoder.image_size == (64, 64)
    assert not encoder.trainable_variables
    for variable, expected in zip(encoder.variables, same.variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), expected.numpy())


def test_load_preset_returns_the_saved_class(captioner_preset, embedder_preset, sentiment_preset):
    assert isinstance(load_preset(captioner_preset), TransformerCaptioner)
    assert isinstance(load_preset(embedder_preset), ContrastiveModel)
    model = load_preset(sentiment_preset, dtype="mixed_bfloat16")
    assert isinstance(model, ConversationModel)
    assert model.compute_dtype == "bfloat16"


def test_load_preset_loads_encoders(cache):
    model = load_preset("efficientnet_lite0_imagenet")
    expected = image_encoder("efficientnet_lite0_imagenet")
    assert type(model) is type(expected)
    for variable, other in zip(model.variables, expected.variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), other.numpy())


def test_vqa_loads_question_answerers_only(captioner_preset, question_answerer_preset):
    model = vqa(question_answerer_preset, dtype="mixed_bfloat16")
    assert isinstance(model, BlipQuestionAnswerer)
    assert model.compute_dtype == "bfloat16"
    with pytest.raises(ValueError, match="a TransformerCaptioner, not a QuestionAnsweringModel"):
        vqa(captioner_preset)
