"""A tiny checkpoint of CLIP, with the weights of `make_contrastive_cases.py`."""

import json
import pathlib

import numpy as np
from checkpoint_files import pack_safetensors

DATA = pathlib.Path(__file__).parent / "data"
# The characters that stand for bytes, in the order of CLIP's vocabulary.
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
BYTES = [chr(code) for code in (*PRINTABLE, *range(256, 512 - len(PRINTABLE)))]
MERGES = ["c a", "d o"]
SPECIAL = ["<|startoftext|>", "<|endoftext|>"]
TOKENS = [*BYTES, *(f"{character}</w>" for character in BYTES), "ca", "do", *SPECIAL]
VOCABULARY = {token: index for index, token in enumerate(TOKENS)}


def write_clip_folder(folder):
    """Writes the checkpoint, with the tokenizer as vocabulary and merges."""
    with np.load(DATA / "clip.npz") as file:
        config = json.loads(str(file["config"]))
        names = [name for name in file if name.startswith("weight:")]
        tensors = {name.removeprefix("weight:"): file[name] for name in names}
    # The tokenizer needs tokens of all bytes.
    config["text_config"]["vocab_size"] = len(TOKENS)
    embeddings = np.random.default_rng(0).normal(scale=0.4, size=(len(TOKENS), 16))
    tensors["text_model.embeddings.token_embedding.weight"] = embeddings.astype("float16")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(pack_safetensors(tensors))
    (folder / "vocab.json").write_text(json.dumps(VOCABULARY))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES, ""]))
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    processor = {"image_processor_type": "CLIPImageProcessor", **size}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
