"""Measures the memory that fine-tuning BLIP base with LoRA takes; the peak must be below 6 GB.

    python benchmarks/checkpoint_lora.py

Builds the model of Salesforce/blip-image-captioning-base with random weights, adds adapters, and
trains on random images and captions: once all parts, once with a frozen image encoder. Each runs
in a process of its own. Writes `benchmarks/results/checkpoint_lora.json`. Linux only.
"""

import argparse
import json
import pathlib
import subprocess
import sys

from parity_cases import CASES
from resident_memory import peak_megabytes
from write_results import write_results

from keras_mmfusion._provenance import describe_machine, describe_versions

CASE = CASES["blip"]
RANK, STEPS, CAPTION_TOKENS = 8, 3, 20
RUNS = {
    "all_parts": {"freeze_encoder": False, "batch_size": 2},
    "frozen_image_encoder": {"freeze_encoder": True, "batch_size": 8},
}


def measure(freeze_encoder, batch_size):
    """Trains for some steps; returns the peak of the process's resident memory, and the losses."""
    import keras
    import numpy as np

    from keras_mmfusion.checkpoints import blip

    keras.utils.set_random_seed(0)
    model = blip.build_model(CASE.sizes["full"])
    model.image_encoder.trainable = not freeze_encoder
    model.enable_lora(RANK)
    model.compile(keras.optimizers.AdamW(1e-3))
    rng = np.random.default_rng(0)
    ids = rng.integers(1000, 30_000, (batch_size, CAPTION_TOKENS + 1)).astype("int32")
    images = rng.normal(size=(batch_size, 384, 384, 3)).astype("float32")
    inputs = {"images": images, "captions": ids[:, :-1]}
    losses = []
    for _ in range(STEPS):
        losses.append(float(model.train_on_batch(inputs, ids[:, 1:], return_dict=True)["loss"]))
        model.reset_metrics()
    return {
        "freeze_encoder": freeze_encoder,
        "batch_size": batch_size,
        "parameters": model.count_params(),
        "trainable_parameters": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
        "peak_megabytes": round(peak_megabytes()),
        "losses": losses,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    results = pathlib.Path(__file__).parent / "results" / "checkpoint_lora.json"
    parser.add_argument("--json", type=pathlib.Path, default=results)
    parser.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(measure(**RUNS[options.run])))
        return
    runs = {}
    for name in RUNS:
        command = [sys.executable, __file__, "--run", name]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        runs[name] = json.loads(output.splitlines()[-1])
        print(f"{name}: {runs[name]['peak_megabytes']} MB", file=sys.stderr)
    report = {
        "checkpoint": f"{CASE.checkpoint}, random weights",
        "rank": RANK,
        "steps": STEPS,
        "caption_tokens": CAPTION_TOKENS,
        "runs": runs,
        "versions": describe_versions(),
        "machine": describe_machine(),
    }
    write_results(options.json, report)


if __name__ == "__main__":
    main()
