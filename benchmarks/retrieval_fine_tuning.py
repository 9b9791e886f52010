"""Image-text retrieval on Flickr8k: losses between the two modalities, on fine-tuned encoders.

    KERAS_BACKEND=torch python benchmarks/retrieval_fine_tuning.py --data DATA \
        --work runs/retrieval --maps runs/features-lite2 \
        --json benchmarks/results/retrieval_fine_tuning.json

Goes on from the presets that `benchmarks/retrieval.py`, with frozen encoders, left in `--work`:
the projectors, the whole text encoder and the last blocks of the image encoder are trained, with
settings common to all losses but where `SETTINGS` says so, which were not tuned. The image
encoder's lower part is frozen; what it makes of six versions of each image is computed once,
as `mmfusion train captioner --features-only --views 6` does. Reports dev like `retrieval.py`; the
last epoch counts. Each run leaves a preset folder in `--work`. A run that is in the JSON file
already is not repeated.
"""

import argparse
import functools
import pathlib
import time

import keras
import numpy as np
from retrieval import LOSSES, complete_report, fit, is_blind, save_published, scores_of
from retrieval_data import ViewSequence

from keras_mmfusion.datasets.captions.flickr8k_captions import read_flickr8k
from keras_mmfusion.models import ContrastiveModel
from keras_mmfusion.models.captioning.training.captioner_recipe import CaptionerRecipe
from keras_mmfusion.models.compiled_function import compile_function
from keras_mmfusion.zoo import image_encoder

VIEWS = 6
BLOCKS = 4
COMMON = {"batch_size": 250, "learning_rate": 1e-4}
# The canonical correlations of a batch mean nothing unless it is much larger than the space has
# dims, 64; of more than 500 images the blocks' gradient does not fit a small machine's memory.
SETTINGS = {"DeepCCALoss": {"batch_size": 500}}


def embeddings(model, split):
    """Of a split's images and captions as they were written: two arrays, not of unit length."""
    texts = [ids.reshape(-1, ids.shape[-1]) for ids in split.texts(0).values()]
    names = list(split.packed)
    of_images = compile_function(model, lambda maps: model.embeddings({"image": maps})["image"])
    of_texts = compile_function(
        model, lambda *ids: model.embeddings({"text": dict(zip(names, ids, strict=True))})["text"]
    )
    return in_batches(of_images, split.maps[0]), in_batches(of_texts, *texts)


def in_batches(function, *arrays, batch_size=100):
    starts = range(0, len(arrays[0]), batch_size)
    found = (function(*(x[start : start + batch_size] for x in arrays)) for start in starts)
    return np.concatenate([keras.ops.convert_to_numpy(x) for x in found])


def run(name, folders, arguments):
    """Goes on with one loss's frozen run, saves the preset, and returns what came of it."""
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
        scores_of, functools.partial(embeddings, model), dev, train if is_blind(name) else None
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
    complete_report(
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
