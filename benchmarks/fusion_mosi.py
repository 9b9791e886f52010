"""Compares modalities, strategies and rules of fusion on CMU-MOSI's utterances.

    KERAS_BACKEND=jax python benchmarks/fusion_mosi.py --train train.npz --dev dev.npz \\
        --json benchmarks/results/fusion_mosi.json

Every model is trained on `train.npz` and scored on the videos in `dev.npz` after each epoch. Only
the number of epochs is selected on dev: each half of the dev videos uses the number that is best on
the other half, so no utterance is scored with a number selected on it. The runs of a model, one per
seed, are trained together as a vectorized program, which needs the JAX backend.
"""

import argparse
import functools
import itertools
import json
import os
import pathlib
import platform
import time

import jax
import jax.numpy as jnp
import keras
import numpy as np
from write_results import write_results

from keras_mmfusion import FusionBlock
from keras_mmfusion.datasets import read_cmu_mosi
from keras_mmfusion.encoders import TokenEncoder, VectorEncoder
from keras_mmfusion.metrics import bootstrap_interval, sentiment_scores
from keras_mmfusion.models import ConversationModel, FusionModel

MODALITIES = ("text", "audio", "video")
DIM = 32
DROPOUT = 0.2
FEATURE_DROPOUT = 0.5  # Dropout of the standardized features, as in `SentimentRecipe`.


def fusion_model(modalities=MODALITIES, modality_dropout=0.0, head=True, **fusion):
    """Creates a model of utterances with a logit as output."""
    decides = "num_outputs" in fusion
    return FusionModel(
        {name: VectorEncoder(DIM, dropout=FEATURE_DROPOUT) for name in modalities},
        FusionBlock(modalities, dim=DIM, dropout=DROPOUT, **fusion),
        head=keras.layers.Dense(1) if head and not decides else None,
        modality_dropout=modality_dropout,
    )


def conversation_model(causal, **settings):
    context = TokenEncoder(DIM, causal=causal, dropout=DROPOUT)
    return ConversationModel(fusion_model(head=False, **settings), context, keras.layers.Dense(1))


def models():
    """Returns a dict of name -> function that creates the model, and whether inputs are videos."""
    late, pair = {"strategy": "late", "num_outputs": 1}, ("text", "video")
    rules = ("sum", "weighted_sum", "tensor", "low_rank", "product_of_experts")
    pairs = ("mlb", "mutan", "block", "mfb", "mfh", "mcb", "film")
    of_tokens = ("deep_set", "gated_cross_attention", "bottleneck", "mult")
    of_tokens += ("q_former", "perceiver_resampler")
    make = functools.partial
    result = {f"{name} alone": make(fusion_model, (name,)) for name in MODALITIES}
    result["early, gated"] = make(fusion_model, combine="gated")
    result["early, gated, modality dropout"] = make(
        fusion_model, combine="gated", modality_dropout=0.3
    )
    result["late, weighted_sum"] = make(fusion_model, **late)
    result["hybrid, weighted_sum"] = make(fusion_model, strategy="hybrid")
    result["early, concat"] = make(fusion_model, combine="concat")
    conversations = {
        f"early, concat, {kind} context": make(
            conversation_model, kind == "causal", combine="concat"
        )
        for kind in ("causal", "bidirectional")
    }
    conversations["early, concat, modality dropout, bidirectional context"] = make(
        conversation_model, False, combine="concat", modality_dropout=0.3
    )
    conversations["text alone, bidirectional context"] = make(
        conversation_model, False, modalities=("text",)
    )
    result |= conversations
    result["hybrid, decisions"] = make(fusion_model, strategy="hybrid", num_outputs=1)
    result |= {f"early, {rule}": make(fusion_model, combine=rule) for rule in rules}
    result |= {
        f"early, {rule} (text and video)": make(fusion_model, pair, combine=rule) for rule in pairs
    }
    # With one token per modality.
    result |= {f"early, {rule}": make(fusion_model, combine=rule) for rule in of_tokens}
    return {name: (function, name in conversations) for name, function in result.items()}


class Experiment:
    """Trains the runs of a model, and scores them on the dev utterances.

    Args:
        train, dev: `SentimentUtterances` of different videos.
        seeds, epochs: ints.
    """

    batch_sizes = {False: 256, True: 13}  # Utterances, or videos of about 23 utterances.

    def __init__(self, train, dev, seeds, epochs):
        self.train, self.dev = train, dev
        self.seeds, self.epochs = range(seeds), epochs
        self.half_of = dev.assign_folds(2)

    def run(self, make_model, conversations, views=((),)):
        """Trains every run, and predicts dev after each epoch.

        Args:
            make_model: function without arguments.
            conversations: bool. Whether a sample is a video instead of an utterance.
            views: tuples of names of modalities that are missing on dev.

        Returns:
            A tuple of the model and the logits, a float array `(seeds, epochs, views, utterances)`.
        """
        model, weights = self._first_weights(make_model, conversations)
        names = model.modalities
        optimizer = keras.optimizers.AdamW(3e-3, weight_decay=0.01, clipnorm=1.0)
        optimizer.build(model.trainable_variables)
        state = [jnp.asarray(each.value) for each in optimizer.variables]
        inputs, labels, counts = training_samples(self.train, names, conversations)
        looks = [dev_samples(self.dev, names, conversations, missing) for missing in views]

        def loss(trainable, others, rows):
            batch = jax.tree.map(lambda x: x[rows], inputs)
            logits, others = model.stateless_call(trainable, others, batch, training=True)
            losses = jax.nn.softplus((1 - 2 * labels[rows]) * logits[..., 0])
            return jnp.sum(counts[rows] * losses) / jnp.sum(counts[rows]), others

        def step(carry, rows):
            trainable, others, state = carry
            slopes, others = jax.grad(loss, has_aux=True)(trainable, others, rows)
            trainable, state = optimizer.stateless_apply(state, slopes, trainable)
            return (trainable, others, state), None

        def epoch(carry, steps):
            carry, _ = jax.lax.scan(step, carry, steps)
            logits = [
                model.stateless_call(*carry[:2], look, training=False)[0][..., 0] for look in looks
            ]
            return carry, jnp.stack(logits)

        def train(trainable, others, steps):
            return jax.lax.scan(epoch, (trainable, others, state), steps)[1]

        logits = jax.jit(jax.vmap(train))(*weights, self._steps(len(counts), conversations))
        logits = np.asarray(logits)
        return model, logits[..., self.dev.group_by_video()[2]] if conversations else logits

    def _first_weights(self, make_model, conversations):
        weights = []
        for seed in self.seeds:
            keras.utils.set_random_seed(seed)
            model = make_model()
            encoders = getattr(model, "utterance_model", model).encoders
            inputs = training_samples(self.train, model.modalities, conversations)[0]
            model(jax.tree.map(lambda x: x[:2], inputs))
            for name, encoder in encoders.items():
                encoder.adapt(self.train.features[name])
            variables = (model.trainable_variables, model.non_trainable_variables)
            weights.append(jax.tree.map(lambda variable: jnp.array(variable.value), variables))
        return model, jax.tree.map(lambda *each: jnp.stack(each), *weights)

    def _steps(self, samples, conversations):
        """Returns the samples of each batch, an int array `(seeds, epochs, batches, batch)`."""
        size = self.batch_sizes[conversations]
        orders = []
        for seed in self.seeds:
            rng = np.random.default_rng(seed)
            orders.append([rng.permutation(samples) for _ in range(self.epochs)])
        orders = np.array(orders)[..., : samples // size * size]
        return orders.reshape(*orders.shape[:2], -1, size)

    def scores(self, logits):
        """Scores the runs on dev; each half uses the number of epochs selected on the other.

        Args:
            logits: float array `(seeds, epochs, views, utterances)`.

        Returns:
            A list with a dict for each view; epochs are selected on the first view.
        """
        right = (logits > 0) == self.dev.labels
        chosen = [
            int(right[:, :, 0, self.half_of != half].mean(axis=(0, 2)).argmax()) for half in (0, 1)
        ]
        logits = np.where(self.half_of == 0, *(logits[:, epoch] for epoch in chosen))
        epochs = [epoch + 1 for epoch in chosen]
        return [
            {**self._scores(logits[:, view]), "epochs_of_halves": epochs}
            for view in range(logits.shape[1])
        ]

    def _scores(self, logits):
        signs = 2 * self.dev.labels - 1
        figures = [sentiment_scores(signs, values) for values in logits]
        accuracies = [each["non0_accuracy"] for each in figures]
        return {
            "accuracy": rounded(np.mean(accuracies)),
            "accuracy_spread_over_seeds": rounded(np.std(accuracies)),
            "accuracy_interval_over_videos": self._interval((logits > 0) == self.dev.labels),
            "f1": rounded(np.mean([each["non0_f1"] for each in figures])),
            "accuracy_of_seeds": [rounded(each) for each in accuracies],
        }

    def _interval(self, right):
        """Returns the 95 % bootstrap interval of the mean accuracy over videos."""
        videos = [
            (right[:, mask].mean(axis=0).sum(), mask.sum())
            for mask in (self.dev.video_ids == name for name in np.unique(self.dev.video_ids))
        ]

        def accuracy(drawn):
            hits, utterances = np.sum(drawn, axis=0)
            return hits / utterances

        interval = bootstrap_interval(videos, accuracy)
        return [rounded(interval.low), rounded(interval.high)]


def training_samples(data, modalities, conversations):
    """Returns inputs, labels and loss weights, for utterances or for videos."""
    features, labels, mask = data.features, data.labels, np.ones(len(data), "bool")
    if conversations:
        features, labels, mask = data.group_by_video()
    inputs = {name: features[name] for name in modalities}
    inputs |= {f"{name}_mask": mask for name in modalities}
    return jax.tree.map(jnp.asarray, (inputs, labels.astype("float32"), mask.astype("float32")))


def dev_samples(data, modalities, conversations, missing):
    """Returns inputs like `training_samples`, with masks for missing modalities."""
    inputs = training_samples(data, modalities, conversations)[0]
    masks = {f"{name}_mask": jnp.zeros_like(inputs[f"{name}_mask"]) for name in missing}
    return inputs | masks


def rounded(value):
    return round(float(value), 4)


def describe_machine():
    return {
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "keras": keras.__version__,
        "jax": jax.__version__,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=pathlib.Path, required=True, help="train.npz of CMU-MOSI")
    parser.add_argument("--dev", type=pathlib.Path, required=True, help="other videos, dev.npz")
    parser.add_argument("--json", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--only", default="", help="only models whose names contain this")
    arguments = parser.parse_args()
    train, dev = read_cmu_mosi(arguments.train), read_cmu_mosi(arguments.dev)
    experiment = Experiment(train, dev, arguments.seeds, arguments.epochs)
    results = {
        **describe_machine(),
        "train": describe_data(train),
        "dev": describe_data(dev),
        "majority_accuracy": rounded(np.bincount(dev.labels).max() / len(dev)),
        **{name: getattr(arguments, name) for name in ("seeds", "epochs")},
        "models": {},
        "without_modalities": {},
    }
    if arguments.json.exists():  # Resumes an interrupted run.
        earlier = json.loads(arguments.json.read_text(encoding="utf-8"))
        if all(earlier.get(name) == results[name] for name in ("dev", "seeds", "epochs")):
            results |= {name: earlier[name] for name in ("models", "without_modalities")}
    kept = [each for n in (3, 2, 1) for each in itertools.combinations(MODALITIES, n)]
    for name, (make_model, conversations) in models().items():
        if arguments.only not in name or name in results["models"]:
            continue
        with_subsets = name in ("early, gated", "early, gated, modality dropout")
        views = [tuple(set(MODALITIES) - set(each)) for each in kept] if with_subsets else [()]
        start = time.process_time()
        model, logits = experiment.run(make_model, conversations, views)
        seconds = time.process_time() - start
        scores = experiment.scores(logits)
        results["models"][name] = {
            **scores[0],
            "parameters": sum(int(np.prod(w.shape)) for w in model.trainable_variables),
            "cpu_seconds_of_all_runs": round(seconds, 1),
        }
        if with_subsets:
            results["without_modalities"][name] = dict(
                zip(map(", ".join, kept), scores, strict=True)
            )
        print(name, results["models"][name], flush=True)
        write_results(arguments.json, results)


def describe_data(data):
    return {"utterances": len(data), "videos": len(np.unique(data.video_ids))}


if __name__ == "__main__":
    main()
