"""Writes random blocks of each tensor type of GGUF, and their values.

Run `python tests/checkpoints/make_gguf_blocks_case.py` with the package gguf (written with 0.19.0).
"""

import pathlib

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

NUM_BLOCKS = 3
# Type -> offsets of the scales in a block, which are float16.
SCALES = {
    "Q4_0": (0,),
    "Q4_1": (0, 2),
    "Q5_0": (0,),
    "Q5_1": (0, 2),
    "Q8_0": (0,),
    "Q4_K": (0, 2),
    "Q6_K": (208,),
}


def main():
    random = np.random.default_rng(0)
    arrays = {}
    for name, offsets in SCALES.items():
        kind = GGMLQuantizationType[name]
        _, num_bytes = GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (NUM_BLOCKS, num_bytes)).astype("uint8")
        for offset in offsets:
            scales = random.normal(size=(NUM_BLOCKS, 1)).astype("float16")
            blocks[:, offset : offset + 2] = scales.view("uint8")
        arrays[f"{name}:{kind.value}"] = blocks
        arrays[f"{name}:values"] = quants.dequantize(blocks, kind)
    path = pathlib.Path(__file__).parent / "data" / "gguf_blocks.npz"
    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    main()
