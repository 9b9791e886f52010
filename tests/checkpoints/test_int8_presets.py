"""Checkpoints that are loaded in int8 are saved and loaded again."""

import keras
import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder

from keras_mmfusion import zoo
from keras_mmfusion._keras_internals import flatten_layers
from keras_mmfusion.checkpoints import load_checkpoint

# Keras's quantizer transposes in this way on PyTorch.
pytestmark = pytest.mark.filterwarnings("ignore:.*The use of `x.T` on tensors:UserWarning")


def list_dtypes(model):
    return [
        (layer.name, layer.compute_dtype, layer.quantization_mode)
        for layer in flatten_layers(model)
        if layer.weights
    ]


@pytest.mark.parametrize("name", ["blip_matcher", "swin_roberta", "vilt"])
def test_int8_preset_has_the_same_layers_and_weights(name, tmp_path):
    model = load_checkpoint(write_folder(tmp_path / "source", name), dtype="int8")
    model.save_to_preset(tmp_path / "preset")
    copy = zoo.load_preset(tmp_path / "preset")

    assert list_dtypes(copy) == list_dtypes(model)
    assert copy.dtype_policy.name == "float32"
    assert "int8" in {weight.dtype for weight in copy.weights}
    for found, weight in zip(copy.weights, model.weights, strict=True):
        assert found.dtype == weight.dtype
        found, weight = (keras.ops.convert_to_numpy(each) for each in (found, weight))
        np.testing.assert_array_equal(found, weight)
