"""Writes small folders in the format of transformers, one for each kind of checkpoint."""

import functools
import json
import pathlib
import shutil

import numpy as np
from checkpoints.checkpoint_files import pack_safetensors
from checkpoints.language_folders import write_language_folder
from checkpoints.smolvlm_cases import write_smolvlm_folder
from checkpoints.stored_cases import DATA, read_case

from keras_mmfusion.models.tokenizers.byte_pair_tokenizer import make_byte_characters

BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CLIP_PROCESSOR = {"image_processor_type": "CLIPImageProcessor"}


def write_blip(folder, case):
    """Writes a checkpoint of BLIP; as on the Hub, the vocabulary lacks [DEC] and [ENC]."""
    config, weights, _ = read_case(case)
    _write_words(folder, range(5, 58))
    processor = {"image_processor_type": "BlipImageProcessor", "size": _square(32)}
    _write(folder, {**config, "model_type": "blip"}, processor, weights)


def write_git(folder, case):
    config, weights, _ = read_case(case)
    _write_words(folder, range(config["vocab_size"] - 5))
    processor = CLIP_PROCESSOR | {"size": {"shortest_edge": 16}, "crop_size": _square(16)}
    _write(folder, config, processor, weights)


def write_vit_gpt2(folder):
    """Writes a pair of ViT and GPT-2, whose vocabulary are the bytes and two merges."""
    tokens = [*make_byte_characters(), "ca", "Ġa", "<|endoftext|>"]
    end = tokens[-1]
    config, weights = _resize_vocabulary("vit_gpt2", tokens, start=end, end=end, pad=end)
    config["decoder"] |= {"bos_token_id": len(tokens) - 1, "eos_token_id": len(tokens) - 1}
    _write_byte_pairs(folder, tokens, ["c a", "Ġ a"])
    processor = {"feature_extractor_type": "ViTFeatureExtractor", "size": 16, "resample": 2}
    _write(folder, config, processor, weights)


def write_bert_pair(folder, case, processor="ViTImageProcessor"):
    """Writes a pair of an image encoder and BERT."""
    words = range(30)
    tokens = [*BERT_SPECIAL, *_name_words(words)]
    config, weights = _resize_vocabulary(case, tokens, "[CLS]", "[SEP]", "[PAD]")
    _write_words(folder, words)
    processor = {"image_processor_type": processor, "size": _square(16)}
    _write(folder, config, processor, weights)


def write_roberta_pair(folder, case):
    """Writes a pair of an image encoder and RoBERTa."""
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *make_byte_characters(), "ca", "<mask>"]
    config, weights = _resize_vocabulary(case, tokens, "<s>", "</s>", "<pad>")
    _write_byte_pairs(folder, tokens, ["c a"])
    size = _square(config["encoder"]["image_size"])
    _write(folder, config, {"image_processor_type": "ViTImageProcessor", "size": size}, weights)


def write_clip(folder):
    config, weights, _ = read_case("clip")
    characters = make_byte_characters()
    ends = [f"{character}</w>" for character in characters]
    tokens = [*characters, *ends, "ca", "do", "<|startoftext|>", "<|endoftext|>"]
    config["text_config"]["vocab_size"] = len(tokens)
    words = np.random.default_rng(0).normal(scale=0.4, size=(len(tokens), 16))
    weights["text_model.embeddings.token_embedding.weight"] = words.astype("float16")
    _write_byte_pairs(folder, tokens, ["c a", "d o"])
    processor = CLIP_PROCESSOR | {"size": {"shortest_edge": 32}, "crop_size": _square(32)}
    _write(folder, config, processor, weights)


def write_siglip(folder):
    config, weights, _ = read_case("siglip")
    config["text_config"]["vocab_size"] = size = 200  # as in the tokenizer
    shape = (size, config["text_config"]["hidden_size"])
    words = np.random.default_rng(0).normal(scale=0.4, size=shape).astype("float16")
    weights["text_model.embeddings.token_embedding.weight"] = words
    shutil.copy(DATA / "siglip_spiece.model", folder / "spiece.model")
    processor = {"image_processor_type": "SiglipImageProcessor", "size": _square(32)}
    _write(folder, config, processor, weights)


def write_vilt(folder):
    config, weights, _ = read_case("vilt")
    _write_words(folder, range(5, config["vocab_size"]))
    processor = {"feature_extractor_type": "ViltFeatureExtractor", "size": 24, "size_divisor": 8}
    _write(folder, {**config, "model_type": "vilt"}, processor, weights)


def _square(size):
    return {"height": size, "width": size}


def _resize_vocabulary(case, tokens, start, end, pad):
    """Returns the configuration and the weights of a pair, with random embeddings of tokens."""
    config, weights, _ = read_case(case)
    old_size, size = config["decoder"]["vocab_size"], len(tokens)
    config |= {"decoder_start_token_id": tokens.index(start), "eos_token_id": tokens.index(end)}
    config |= {"pad_token_id": tokens.index(pad), "model_type": "vision-encoder-decoder"}
    config["decoder"]["vocab_size"] = size
    for name, value in weights.items():
        if len(value) == old_size:
            random = np.random.RandomState(1)  # Tied weights are equal.
            weights[name] = random.normal(size=(size, *value.shape[1:])).astype("float32")
    return config, weights


def _name_words(ids):
    return [f"w{index}" for index in ids]


def _write_words(folder, ids):
    tokens = [*BERT_SPECIAL, *_name_words(ids)]
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", "utf-8")


def _write_byte_pairs(folder, tokens, merges):
    ids = {token: index for index, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(ids), "utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), "utf-8")


def _write(folder, config, processor, weights):
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "preprocessor_config.json").write_text(json.dumps(processor), "utf-8")
    (folder / "model.safetensors").write_bytes(pack_safetensors(weights))


WRITERS = {
    "beit_bert": functools.partial(
        write_bert_pair, case="beit_bert", processor="BeitImageProcessor"
    ),
    "blip": functools.partial(write_blip, case="blip_captioner"),
    "blip_matcher": functools.partial(write_blip, case="blip_matcher"),
    "blip_vqa": functools.partial(write_blip, case="blip_question_answerer"),
    "clip": write_clip,
    "git": functools.partial(write_git, case="git"),
    "git_video": functools.partial(write_git, case="git_video"),
    "siglip": write_siglip,
    "smollm2": functools.partial(write_language_folder, case="llama", max_position_embeddings=256),
    "smolvlm": functools.partial(write_smolvlm_folder, case="smolvlm"),
    "swin_roberta": functools.partial(write_roberta_pair, case="swin_roberta"),
    "vilt": write_vilt,
    "vit_bert": functools.partial(write_bert_pair, case="vit_bert"),
    "vit_gpt2": write_vit_gpt2,
    "vit_roberta": functools.partial(write_roberta_pair, case="vit_roberta"),
}


def write_folder(folder, name):
    """Writes the checkpoint of a name of `WRITERS` to a new folder; returns the folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    WRITERS[name](folder)
    return folder
