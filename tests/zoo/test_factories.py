"""The factories' own doings; what they load is tested where it is made."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

from keras_mmfusion.zoo import captioner, image_encoder


def test_the_zoo_is_light_to_import():
    code = (
        "import sys; from keras_mmfusion.zoo import captioner, image_encoder, resolve_preset;"
        "assert callable(captioner);"
        "heavy = {'keras', 'keras_hub', 'tensorflow', 'torch', 'jax', 'numpy', 'rich'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "[]", run.stderr


@pytest.mark.parametrize("factory", [captioner, image_encoder])
def test_an_unknown_preset_is_an_error(factory):
    with pytest.raises(ValueError, match="Unknown preset 'captioner_flickr7k'"):
        factory("captioner_flickr7k")


def test_weights_are_pretrained_or_none():
    with pytest.raises(ValueError, match="`weights` must be 'pretrained' or None"):
        captioner(weights="imagenet")


def test_an_encoder_for_pretrained_weights_is_refused():
    with pytest.raises(ValueError, match="`image_encoder` needs `weights=None`"):
        captioner(image_encoder=object())


def test_the_image_encoder_of_the_zoo_loads(cache):
    name = "efficientnet_lite0_imagenet"
    published = pathlib.Path(__file__).parents[2] / "zoo" / name
    encoder = image_encoder(name, image_size=64, trainable=False)
    same = image_encoder(published, image_size=64)

    assert encoder.image_size == (64, 64)
    assert not encoder.trainable_variables
    for variable, expected in zip(encoder.variables, same.variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), expected.numpy())
