"""Writes small checkpoints for the tests, and a converter of them."""

import json
import sys
from types import ModuleType

import numpy as np

NAMES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64"}


def pack_safetensors(tensors, metadata=None):
    """Returns the bytes of a safetensors file."""
    header, data = {}, b""
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": NAMES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    return pack_header(json.dumps(header).encode(), data)


def pack_header(header, data=b""):
    """Returns a header and data behind the length of the header."""
    return len(header).to_bytes(8, "little") + header + data


TENSORS = {
    "dense.weight": np.arange(12, dtype="float32").reshape(3, 4),
    "dense.bias": np.ones(3, "float32"),
}


def write_checkpoint(folder, tensors=None, model_type="toy"):
    """Writes a folder in the format of transformers whose model is one dense layer."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_type": model_type, "hidden_size": 4}
    (folder / "config.json").write_text(json.dumps(config))
    packed = pack_safetensors(TENSORS if tensors is None else tensors)
    (folder / "model.safetensors").write_bytes(packed)
    return folder


def register_toy_converter(monkeypatch):
    """Adds the converter of the model type "toy"."""
    import keras

    from keras_mmfusion.checkpoints import converters
    from keras_mmfusion.checkpoints.layouts import transpose_linear
    from keras_mmfusion.checkpoints.source_weight import SourceWeight
    from keras_mmfusion.models.presets.preset_folder import PresetModel

    @keras.saving.register_keras_serializable(package="tests")
    class ToyModel(PresetModel, keras.Model):
        def __init__(self, dim=4, preprocessor=None, **kwargs):
            super().__init__(**kwargs)
            self.dim = dim
            self.dense = keras.layers.Dense(3)
            self.preprocessor = preprocessor
            self.build((None, dim))

        def build(self, shape):
            self.dense.build(shape)
            self.built = True

        def call(self, inputs):
            return self.dense(inputs)

        def get_config(self):
            return {**super().get_config(), "dim": self.dim}

    def list_weights(model, config):
        yield SourceWeight("dense.weight", model.dense.kernel, transpose_linear)
        yield SourceWeight("dense.bias", model.dense.bias)

    module = ModuleType("toy")
    module.build_model = lambda config, assets: ToyModel(config["hidden_size"])
    module.list_weights = list_weights
    monkeypatch.setitem(converters.CONVERTERS, "toy", "toy")
    monkeypatch.setitem(sys.modules, "keras_mmfusion.checkpoints.toy", module)
    return ToyModel
