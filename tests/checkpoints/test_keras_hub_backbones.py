"""Checkpoints and presets that KerasHub loads."""

import json

import keras
import keras_hub
import numpy as np
import pytest
from checkpoint_files import pack_safetensors

from keras_mmfusion import zoo
from keras_mmfusion.checkpoints import load_checkpoint

DIM, WORDS, POSITIONS = 8, 20, 10
CONFIG = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "vocab_size": WORDS,
    "hidden_size": DIM,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "hidden_dropout_prob": 0.0,
    "max_position_embeddings": POSITIONS,
    "type_vocab_size": 2,
}


def make_weights():
    """The weights of a BERT with one layer, named as transformers writes them."""
    linear = {
        "encoder.layer.0.attention.self.query": (DIM, DIM),
        "encoder.layer.0.attention.self.key": (DIM, DIM),
        "encoder.layer.0.attention.self.value": (DIM, DIM),
        "encoder.layer.0.attention.output.dense": (DIM, DIM),
        "encoder.layer.0.intermediate.dense": (12, DIM),
        "encoder.layer.0.output.dense": (DIM, 12),
        "pooler.dense": (DIM, DIM),
    }
    norms = [
        "embeddings.LayerNorm",
        "encoder.layer.0.attention.output.LayerNorm",
        "encoder.layer.0.output.LayerNorm",
    ]
    embeddings = {"word": WORDS, "position": POSITIONS, "token_type": 2}
    shapes = {f"embeddings.{name}_embeddings.weight": (n, DIM) for name, n in embeddings.items()}
    shapes |= {f"{name}.weight": shape for name, shape in linear.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in linear.items()}
    shapes |= {f"{name}.{part}": (DIM,) for name in norms for part in ("weight", "bias")}
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "bert"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "model.safetensors").write_bytes(pack_safetensors(make_weights()))
    return folder


def compute_tokens(backbone):
    ids = np.array([[1, 5, 7, 2]])
    inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": 0 * ids + 1}
    return keras.ops.convert_to_numpy(backbone(inputs)["sequence_output"])


@pytest.mark.parametrize("load", [load_checkpoint, zoo.load_preset])
def test_bert_becomes_a_backbone_of_keras_hub(load, folder):
    backbone = load(folder)
    assert isinstance(backbone, keras_hub.models.BertBackbone)
    assert backbone.source == {"name": "bert"}
    weights = make_weights()
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(backbone.token_embedding.embeddings),
        weights["embeddings.word_embeddings.weight"],
    )
    assert compute_tokens(backbone).shape == (1, 4, DIM)
    assert load(folder, dtype="bfloat16").dtype_policy.name == "bfloat16"


def test_presets_of_keras_hub_are_loaded(folder, tmp_path):
    backbone = load_checkpoint(folder)
    backbone.save_to_preset(str(tmp_path / "preset"))
    restored = zoo.load_preset(tmp_path / "preset")
    assert isinstance(restored, keras_hub.models.BertBackbone)
    np.testing.assert_array_equal(compute_tokens(restored), compute_tokens(backbone))


def test_factories_name_the_class_of_another_model(folder):
    with pytest.raises(ValueError, match="contains a BertBackbone, not a Captioner"):
        zoo.captioner(folder)
