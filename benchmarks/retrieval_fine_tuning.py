"""Image-text retrieval on Flickr8k: each loss, with the encoders fine-tuned.

    KERAS_BACKEND=torch python benchmarks/retrieval_fine_tuning.py --data DATA \
        --work runs/retrieval --maps runs/features-lite2 \
        --json benchmarks/results/retrieval_fine_tuning.json

Goes on from the presets that `benchmarks/retrieval.py`, with frozen encoders, left in `--work`:
the projectors, the whole text encoder and the last blocks of the image encoder are trained, with
one setting for all losses, which was not tuned. The image encoder's lower part is frozen; what it
makes of six versions of each image is computed once, as `mmfusion train captioner --features-only
--views 6` does. Reports dev like `retrieval.py`; the last epoch counts. Each run leaves a preset
folder in `--work`. A run that is in the JSON file already is not repeated.
"""

import argparse
import json
import pathlib
import time

import keras
import numpy as np
from retrieval import LOSSES, fit, save_published
from retrieval_data import CAPTIONS, ViewSequence
from write_results import write_results

from keras_mmfusion.cli.run_protocol import machine, versions
from keras_mmfusion.datasets.flickr8k_captions import read_flickr8k
from keras_mmfusion.metrics import retrieval_scores
from keras_mmfusion.models import ContrastiveModel
from keras_mmfusion.models.captioning.captioner_recipe import CaptionerRecipe
from keras_mmfusion.models.retrieval import canonical_projections

VIEWS = 6
BLOCKS = 4
SETTINGS = {"batch_size": 250, "learning_rate": 1e-4}


def embeddings(model, sequence):
    """What a model makes of all images and captions of a sequence, as they were written."""
    images = model.embed("image", sequence.maps[0])
    texts = {name: ids.reshape(-1, ids.shape[-1]) for name, ids in sequence.texts(0).items()}
    return images, model.embed("text", texts, batch_size=100)


def scores_of(model, dev, train=None):
    """The scores of dev, after canonical directions of the training split if that is given."""
    images, texts = embeddings(model, dev)
    if train is not None:
        train_images, train_texts = embeddings(model, train)
        projections = canonical_projections(np.repeat(train_images, CAPTIONS, axis=0), train_texts)
        images, texts = (
            project(x) for project, x in zip(projections, (images, texts), strict=True)
        )
        images, texts = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (images, texts))
    return retrieval_scores(images @ texts.T, np.repeat(np.arange(len(images)), CAPTIONS))


def run(name, folders, arguments):
    """Goes on with one loss's frozen run, saves the preset, and returns what came of it."""
    keras.utils.set_random_seed(arguments.seed)
    whole = ContrastiveModel.from_preset(arguments.work / name)
    _, upper = whole.image_encoder.split(BLOCKS)
    model = ContrastiveModel(
        {"image": upper, "text": whole.text_encoder}, whole.pair_loss, whole.projectors
    )
    train, dev = (
        ViewSequence(folder, whole.preprocessor, SETTINGS["batch_size"], arguments.seed)
        for folder in folders
    )
    blind = name == "DeepCCALoss"
    before = scores_of(model, dev, train if blind else None)
    start = time.perf_counter()
    losses = fit(model, train, SETTINGS["learning_rate"], arguments.epochs)
    seconds = time.perf_counter() - start
    scores = scores_of(model, dev, train if blind else None)
    print(name, {key: round(value, 3) for key, value in scores.items()}, flush=True)
    save_published(whole, arguments.work / f"{name}_fine_tuned")
    return {
        "loss": name,
        **SETTINGS,
        "epochs": arguments.epochs,
        "trained_parameters": int(sum(np.prod(w.shape) for w in model.trainable_variables)),
        "seconds": round(seconds),
        "metrics": scores,
        "metrics_before": before,
        "loss_of_each_epoch": losses,
        "machine": machine(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="Flickr8k's folder")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="presets of retrieval.py")
    parser.add_argument("--maps", required=True, help="room for 1.2 GB of feature maps")
    parser.add_argument("--losses", nargs="*", choices=LOSSES, default=list(LOSSES))
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    runs = []
    if arguments.json.exists():
        runs = json.loads(arguments.json.read_text("utf-8"))["runs"]
    splits = [read_flickr8k(arguments.data, split) for split in ("train", "dev")]
    folders = None
    for name in arguments.losses:
        if name in [each["loss"] for each in runs]:
            continue
        if folders is None:
            encoder = ContrastiveModel.from_preset(arguments.work / name).image_encoder
            recipe = CaptionerRecipe(fine_tune_blocks=BLOCKS, views=VIEWS)
            folders = recipe.cache_features(encoder, *splits, arguments.maps)
        runs.append(run(name, folders, arguments))
        report = {
            "runs": sorted(runs, key=lambda each: list(LOSSES).index(each["loss"])),
            "protocol": {
                "data": "flickr8k",
                "trained_on": "train",
                "split": "dev",
                "chosen_on_dev": "nothing",
                "seeds": [arguments.seed],
                "encoders": f"fine-tuned, of the images' the last {BLOCKS} blocks, on {VIEWS} "
                "versions of each image",
                "versions": versions(),
                "machine": machine(),
            },
        }
        write_results(arguments.json, report)


if __name__ == "__main__":
    main()
