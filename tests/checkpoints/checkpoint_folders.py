"""Writes small folders in the format of transformers, one for each kind of checkpoint."""

import json
import pathlib
import shutil

import numpy as np
from checkpoints.checkpoint_files import pack_safetensors

from keras_mmfusion.models.tokenizers.byte_pair_tokenizer import make_byte_characters

DATA = pathlib.Path(__file__).parent / "data"
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def write_blip(folder):
    """Writes a BLIP captioner; as on the Hub, the vocabulary lacks [DEC] and [ENC]."""
    _write_blip(folder, "blip_captioner")


def write_blip_vqa(folder):
    _write_blip(folder, "blip_question_answerer")


def write_blip_matcher(folder):
    _write_blip(folder, "blip_matcher")


def _write_blip(folder, name):
    with np.load(DATA / f"{name}.npz") as file:
        config, weights = json.loads(str(file["config"])), _read_weights(file)
    _write_words(folder, [f"w{index}" for index in range(5, 58)])
    processor = {"image_processor_type": "BlipImageProcessor", "size": {"height": 32, "width": 32}}
    _write(folder, {**config, "model_type": "blip"}, processor, weights)


def write_git(folder):
    with np.load(DATA / "git.npz") as file:
        weights = _read_weights(file)
    config = json.loads((DATA / "git.json").read_text("utf-8"))
    _write_words(folder, [f"w{index}" for index in range(config["vocab_size"] - 5)])
    processor = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 16},
        "crop_size": {"height": 16, "width": 16},
    }
    _write(folder, config, processor, weights)


def write_vit_gpt2(folder):
    """Writes a pair of ViT and GPT-2, whose vocabulary are the bytes and two merges."""
    with np.load(DATA / "vit_gpt2.npz") as file:
        weights = _read_weights(file)
    config = json.loads((DATA / "vit_gpt2.json").read_text("utf-8"))
    tokens = [*make_byte_characters(), "ca", "Ġa", "<|endoftext|>"]
    end = len(tokens) - 1
    config |= {"decoder_start_token_id": end, "pad_token_id": end, "eos_token_id": end}
    config["decoder"] |= {"vocab_size": len(tokens), "bos_token_id": end, "eos_token_id": end}
    words = np.random.RandomState(1).normal(size=(len(tokens), 16)).astype("float16")
    weights["decoder.transformer.wte.weight"] = weights["decoder.lm_head.weight"] = words
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\nc a\nĠ a\n", "utf-8")
    processor = {"feature_extractor_type": "ViTFeatureExtractor", "size": 16, "resample": 2}
    _write(folder, config, processor, weights)


def write_clip(folder):
    with np.load(DATA / "clip.npz") as file:
        config, weights = json.loads(str(file["config"])), _read_weights(file)
    characters = make_byte_characters()
    ends = [f"{character}</w>" for character in characters]
    tokens = [*characters, *ends, "ca", "do", "<|startoftext|>", "<|endoftext|>"]
    config["text_config"]["vocab_size"] = len(tokens)
    words = np.random.default_rng(0).normal(scale=0.4, size=(len(tokens), 16)).astype("float16")
    weights["text_model.embeddings.token_embedding.weight"] = words
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\nc a\nd o\n", "utf-8")
    processor = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 32},
        "crop_size": {"height": 32, "width": 32},
    }
    _write(folder, config, processor, weights)


def write_siglip(folder):
    with np.load(DATA / "siglip.npz") as file:
        config, weights = json.loads(str(file["config"])), _read_weights(file)
    config["text_config"]["vocab_size"] = size = 200  # as in the tokenizer
    shape = (size, config["text_config"]["hidden_size"])
    words = np.random.default_rng(0).normal(scale=0.4, size=shape).astype("float16")
    weights["text_model.embeddings.token_embedding.weight"] = words
    shutil.copy(DATA / "siglip_spiece.model", folder / "spiece.model")
    size = {"height": 32, "width": 32}
    _write(folder, config, {"image_processor_type": "SiglipImageProcessor", "size": size}, weights)


def write_vilt(folder):
    with np.load(DATA / "vilt.npz") as file:
        config, weights = json.loads(str(file["config"])), _read_weights(file)
    _write_words(folder, [f"w{index}" for index in range(5, config["vocab_size"])])
    processor = {"image_processor_type": "ViltImageProcessor", "size": {"shortest_edge": 32}}
    _write(folder, {**config, "model_type": "vilt"}, {**processor, "size_divisor": 16}, weights)


def _read_weights(file):
    names = [name for name in file if name.startswith("weight:")]
    return {name.removeprefix("weight:"): file[name] for name in names}


def _write_words(folder, words):
    (folder / "vocab.txt").write_text("\n".join([*BERT_SPECIAL, *words]) + "\n", "utf-8")


def _write(folder, config, processor, weights):
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "preprocessor_config.json").write_text(json.dumps(processor), "utf-8")
    (folder / "model.safetensors").write_bytes(pack_safetensors(weights))


WRITERS = {
    "blip": write_blip,
    "git": write_git,
    "vit_gpt2": write_vit_gpt2,
    "blip_vqa": write_blip_vqa,
    "blip_matcher": write_blip_matcher,
    "clip": write_clip,
    "siglip": write_siglip,
    "vilt": write_vilt,
}


def write_folder(folder, name):
    """Writes the checkpoint of a name of `WRITERS` to a new folder; returns the folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    WRITERS[name](folder)
    return folder
