"""Measures the memory that loading a checkpoint takes, next to the size of its weights.

    python benchmarks/checkpoint_load_memory.py

Writes a checkpoint of BLIP base with random weights in five files, and loads it with each backend
in a process of its own. Writes `benchmarks/results/checkpoint_load_memory.json`. Linux only.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from captioning import make_keras_environment
from resident_memory import peak_megabytes, resident_megabytes
from write_results import write_results

from keras_mmfusion._provenance import describe_machine, describe_versions

SHARDS = 5
BACKENDS = ("tensorflow", "jax", "torch")
DIM, MLP_DIM, LAYERS, IMAGE_SIZE, PATCH_SIZE = 768, 3072, 12, 384, 16
WORDS, TEXT_POSITIONS = 30_524, 512
CONFIG = {
    "model_type": "blip",
    "vision_config": {"image_size": IMAGE_SIZE},
    "text_config": {"num_attention_heads": 12, "bos_token_id": WORDS - 2},
}
PROCESSOR = {"image_processor_type": "BlipImageProcessor", "size": {"height": 384, "width": 384}}


def list_shapes():
    """Returns the names and shapes of the tensors of BLIP base."""
    shapes = {}

    def add_dense(name, inputs=DIM, outputs=DIM):
        shapes.update({f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)})

    def add_norm(name):
        shapes.update({f"{name}.weight": (DIM,), f"{name}.bias": (DIM,)})

    patches = (IMAGE_SIZE // PATCH_SIZE) ** 2
    embeddings = "vision_model.embeddings"
    shapes[f"{embeddings}.class_embedding"] = (1, 1, DIM)
    shapes[f"{embeddings}.position_embedding"] = (1, 1 + patches, DIM)
    shapes[f"{embeddings}.patch_embedding.weight"] = (DIM, 3, PATCH_SIZE, PATCH_SIZE)
    shapes[f"{embeddings}.patch_embedding.bias"] = (DIM,)
    for index in range(LAYERS):
        layer = f"vision_model.encoder.layers.{index}"
        add_dense(f"{layer}.self_attn.qkv", outputs=3 * DIM)
        add_dense(f"{layer}.self_attn.projection")
        add_norm(f"{layer}.layer_norm1")
        add_norm(f"{layer}.layer_norm2")
        add_dense(f"{layer}.mlp.fc1", outputs=MLP_DIM)
        add_dense(f"{layer}.mlp.fc2", inputs=MLP_DIM)
    add_norm("vision_model.post_layernorm")
    embeddings = "text_decoder.bert.embeddings"
    shapes[f"{embeddings}.word_embeddings.weight"] = (WORDS, DIM)
    shapes[f"{embeddings}.position_embeddings.weight"] = (TEXT_POSITIONS, DIM)
    add_norm(f"{embeddings}.LayerNorm")
    for index in range(LAYERS):
        layer = f"text_decoder.bert.encoder.layer.{index}"
        for attention in ("attention", "crossattention"):
            for name in ("self.query", "self.key", "self.value", "output.dense"):
                add_dense(f"{layer}.{attention}.{name}")
            add_norm(f"{layer}.{attention}.output.LayerNorm")
        add_dense(f"{layer}.intermediate.dense", outputs=MLP_DIM)
        add_dense(f"{layer}.output.dense", inputs=MLP_DIM)
        add_norm(f"{layer}.output.LayerNorm")
    head = "text_decoder.cls.predictions"
    add_dense(f"{head}.transform.dense")
    add_norm(f"{head}.transform.LayerNorm")
    shapes[f"{head}.bias"] = (WORDS,)
    return shapes


def write_checkpoint(folder):
    """Writes the checkpoint; returns the number of weights."""
    rng = np.random.default_rng(0)
    names, files = list_shapes(), {}
    sizes = np.cumsum([np.prod(shape) for shape in names.values()])
    shards = np.minimum(sizes * SHARDS // sizes[-1], SHARDS - 1)
    for shard in range(SHARDS):
        file = f"model-{shard + 1:05d}-of-{SHARDS:05d}.safetensors"
        owned = [name for name, owner in zip(names, shards, strict=True) if owner == shard]
        files |= dict.fromkeys(owned, file)
        _write_safetensors(folder / file, {name: names[name] for name in owned}, rng)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words += [f"w{index}" for index in range(len(words), WORDS - 2)]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return int(sizes[-1])


def _write_safetensors(path, shapes, rng):
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    header = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for shape in shapes.values():
            file.write((0.02 * rng.standard_normal(shape, "float32")).tobytes())


def load(folder):
    """Loads the checkpoint; returns its parameters, and the memory before, during and after."""
    import keras

    from keras_mmfusion.checkpoints import blip, load_checkpoint

    # Imports, and the memory that a backend allocates at its first use, are not counted.
    keras.layers.Dense(2)(np.ones((1, 2)))
    tiny = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    blip.build_model({"vision_config": tiny, "text_config": tiny})
    before = resident_megabytes()
    model = load_checkpoint(folder)
    return {
        "parameters": model.count_params(),
        "before_megabytes": before,
        "peak_megabytes": peak_megabytes(),
        "after_megabytes": resident_megabytes(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    results = pathlib.Path(__file__).parent / "results" / "checkpoint_load_memory.json"
    parser.add_argument("--json", type=pathlib.Path, default=results)
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--load", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        print(json.dumps(load(options.load)))
        return
    backends = {}
    with tempfile.TemporaryDirectory() as folder:
        megabytes = 4 * write_checkpoint(pathlib.Path(folder)) / 2**20
        for backend in options.backends:
            command = [sys.executable, __file__, "--load", folder]
            environment = {**os.environ, **make_keras_environment(backend)}
            output = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, text=True, env=environment
            ).stdout
            memory = json.loads(output.splitlines()[-1])
            grown = memory["peak_megabytes"] - memory["before_megabytes"]
            backends[backend] = {**memory, "times_weights": grown / megabytes}
            print(backend, json.dumps(backends[backend]), file=sys.stderr)
    report = {
        "checkpoint": "Salesforce/blip-image-captioning-base, random weights",
        "shards": SHARDS,
        "weights_megabytes": megabytes,
        "backends": backends,
        "versions": describe_versions(),
        "machine": describe_machine(),
    }
    write_results(options.json, report)


if __name__ == "__main__":
    main()
