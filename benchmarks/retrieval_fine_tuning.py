"""Compares losses for image-text retrieval on Flickr8k with fine-tuned encoders.

    KERAS_BACKEND=torch python benchmarks/retrieval_fine_tuning.py --data DATA \
        --work runs/retrieval --maps runs/features-lite2 \
        --json benchmarks/results/retrieval_fine_tuning.json

Continues from the presets with frozen encoders that `benchmarks/retrieval.py` wrote to `--work`.
The projectors, the text encoder and the last blocks of the image encoder are trained; the settings
are shared by all losses except for those in `SETTINGS`, and were not tuned. The lower part of the
image encoder is frozen; its feature maps of six versions of each image are computed once, as with
`mmfusion train captioner --features-only --views 6`. Reports dev like `retrieval.py`; the last
epoch counts. Each run writes a preset folder to `--work`. Runs that are already in the JSON file
are not repeated.
"""

import argparse
import functools
import pathlib
import time

import keras
import numpy as np
from retrieval import LOSSES, fit, is_blind, run_missing_losses, save_published, score_split
from retrieval_data import ViewSequence

from keras_mmfusion.datasets.captions.flickr8k_captions import read_flickr8k
from keras_mmfusion.models import ContrastiveModel
from keras_mmfusion.models.captioning.training.captioner_recipe import CaptionerRecipe
from keras_mmfusion.models.compiled_function import compile_function
from keras_mmfusion.zoo import image_encoder

VIEWS = 6
BLOCKS = 4
COMMON = {"batch_size": 250, "learning_rate": 1e-4}
# Canonical correlations need batches much larger than the 64 dimensions; the gradients of more than
# 500 images do not fit into the memory of a small machine.
SETTINGS = {"DeepCCALoss": {"batch_size": 500}}


def embeddings(model, split):
    """Returns unnormalized embeddings of the images and captions of a split."""
    texts = [ids.reshape(-1, ids.shape[-1]) for ids in split.texts(0).values()]
    names = list(split.packed)
    of_images = compile_function(
        model, lambda maps: model.compute_embeddings({"image": maps})["image"]
    )
    of_texts = compile_function(
        model,
        lambda *ids: model.compute_embeddings({"text": dict(zip(names, ids, strict=True))})["text"],
    )
    return in_batches(of_images, split.maps[0]), in_batches(of_texts, *texts)


def in_batches(function, *arrays, batch_size=100):
    starts = range(0, len(arrays[0]), batch_size)
    result = (function(*(x[start : start + batch_size] for x in arrays)) for start in starts)
    return np.concatenate([keras.ops.convert_to_numpy(x) for x in result])


def run(name, folders, arguments):
    """Continues the frozen run of a loss, saves the preset, and returns the results."""
    settings = {**COMMON, **SETTINGS.get(name, {})}
    keras.utils.set_random_seed(arguments.seed)
    whole = ContrastiveModel.from_preset(arguments.work / name)
    _, upper = whole.image_encoder.split(BLOCKS)
    model = ContrastiveModel(
        {"image": upper, "text": whole.text_encoder}, whole.pair_loss, whole.projectors
    )
    train, dev = (
        ViewSequence(folder, whole.preprocessor, settings["batch_size"], arguments.seed)
        for folder in folders
    )
    score = functools.partial(
        score_split, functools.partial(embeddings, model), dev, train if is_blind(name) else None
    )
    before = score()
    start = time.perf_counter()
    losses = fit(model, train, settings["learning_rate"], arguments.epochs)
    seconds = time.perf_counter() - start
    scores = score()
    print(name, {key: round(value, 3) for key, value in scores.items()}, flush=True)
    save_published(whole, arguments.work / f"{name}_fine_tuned")
    return {
        "loss": name,
        **settings,
        "epochs": arguments.epochs,
        "trained_parameters": int(sum(np.prod(w.shape) for w in model.trainable_variables)),
        "seconds": round(seconds),
        "metrics": scores,
        "metrics_before": before,
        "loss_of_each_epoch": losses,
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
    missing = [name for name in arguments.losses if not (arguments.work / name).is_dir()]
    if missing:
        parser.error(f"--work lacks presets of retrieval.py: {', '.join(missing)}")
    splits = [read_flickr8k(arguments.data, split) for split in ("train", "dev")]
    recipe = CaptionerRecipe(fine_tune_blocks=BLOCKS, views=VIEWS)
    encoder = image_encoder("efficientnet_lite2_imagenet")
    folders = recipe.cache_features(encoder, *splits, arguments.maps)
    run_missing_losses(
        arguments.json,
        arguments.losses,
        lambda name: run(name, folders, arguments),
        arguments.seed,
        arguments.epochs,
        encoders=f"fine-tuned, of the images' the last {BLOCKS} blocks, on {VIEWS} versions of "
        "each image",
        chosen_on_dev="nothing",
    )


if __name__ == "__main__":
    main()
