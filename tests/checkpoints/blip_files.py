"""Tiny checkpoints of BLIP, with the weights of `make_blip_case.py`."""

import json
import pathlib

import numpy as np
from checkpoint_files import pack_safetensors

DATA = pathlib.Path(__file__).parent / "data"


def load_case(name):
    """Returns the stored arrays, the configuration and the weights."""
    with np.load(DATA / f"{name}.npz") as file:
        case = dict(file)
    weights = {
        key.removeprefix("weight:"): value.astype("float32")
        for key, value in case.items()
        if key.startswith("weight:")
    }
    return case, json.loads(str(case["config"])), weights


def write_folder(folder, name):
    """Writes a checkpoint as on the Hub; the vocabulary lacks [DEC] and [ENC]."""
    _, config, weights = load_case(name)
    words = [f"w{index}" for index in range(5, 58)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "blip"}))
    processor = {"image_processor_type": "BlipImageProcessor", "size": {"height": 32, "width": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    (folder / "model.safetensors").write_bytes(pack_safetensors(weights))
