"""Compares modalities, strategies and rules of fusion on CMU-MOSI's utterances.

    KERAS_BACKEND=jax python benchmarks/fusion_mosi.py --train train.npz --dev dev.npz \\
        --json benchmarks/results/fusion_mosi.json

Every model is trained on all of `train.npz` and scored on the other videos of `dev.npz`, after each
epoch. The number of epochs is the only thing chosen on dev: that of one half of dev's videos is the
one that is best on the other half, so every utterance is scored without having been chosen on. The
runs of a model, one for each seed, train side by side as one vectorized program, for which the
backend must be JAX.
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
FEATURE_DROPOUT = 0.5  # Of the standardized features, as in `SentimentRecipe`.


def fusion_model(modalities=MODALITIES, modality_dropout=0.0, head=True, **fusion):
    """A model of utterances; a decision is a logit."""
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
    """Name -> function that makes the model, and whether it sees the conversation."""
    late, pair = {"strategy": "late", "num_outputs": 1}, ("text", "video")
    rules = ("sum", "weighted_sum", "tensor", "low_rank", "product_of_experts")
    pairs = ("mlb", "mutan", "block", "mfb", "mfh", "mcb", "film")
    of_tokens = ("deep_set", "gated_cross_attention", "bottleneck", "mult")
    of_tokens += ("q_former", "perceiver_resampler")
    make = functools.partial
    found = {f"{name} alone": make(fusion_model, (name,)) for name in MODALITIES}
    found["early, gated"] = make(fusion_model, combine="gated")
    found["early, gated, modality dropout"] = make(
        fusion_model, combine="gated", modality_dropout=0.3
    )
    found["late, weighted_sum"] = make(fusion_model, **late)
    found["hybrid, weighted_sum"] = make(fusion_model, strategy="hybrid")
    found["early, concat"] = make(fusion_model, combine="concat")
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
    found |= conversations
    found["hybrid, decisions"] = make(fusion_model, strategy="hybrid", num_outputs=1)
    found |= {f"early, {rule}": make(fusion_model, combine=rule) for rule in rules}
    found |= {
        f"early, {rule} (text and video)": make(fusion_model, pair, combine=rule) for rule in pairs
    }
    # Of one token a modality.
    found |= {f"early, {rule}": make(fusion_model, combine=rule) for rule in of_tokens}
    return {name: (function, name in conversations) for name, function in found.items()}


class Experiment:
    """Utterances to train on and to score on, and the runs of a model.

    Args:
        train, dev: `SentimentUtterances` of different videos.
        seeds, epochs: ints.
    """

    batch_sizes = {False: 256, True: 13}  # Utterances, or videos of some 23 utterances.

    def __init__(self, train, dev, seeds, epochs):
        self.train, self.dev = train, dev
        self.seeds, self.epochs = range(seeds), epochs
        self.half_of = dev.assign_folds(2)

    def run(self, make_model, conversations, views=((),)):
        """Trains every run, and looks at dev after each epoch.

        Args:
            make_model: function without arguments.
            conversations: bool. Whether a sample is a video, else an utterance.
            views: tuples of names of modalities that are taken away for the look at dev.

        Returns:
            Tuple of the model; and float array `(seeds, epochs, views, utterances)`, the logits.
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
        """The samples of each batch: int array `(seeds, epochs, batches, batch)`."""
        size = self.batch_sizes[conversations]
        orders = []
        for seed in self.seeds:
            rng = np.random.default_rng(seed)
            orders.append([rng.permutation(samples) for _ in range(self.epochs)])
        orders = np.array(orders)[..., : samples // size * size]
        return orders.reshape(*orders.shape[:2], -1, size)

    def scores(self, logits):
        """What the runs come to on dev, each half of it after the epochs that suit the other.

        Args:
            logits: float array `(seeds, epochs, views, utterances)`.

        Returns:
            A list of dicts, one for each view; the epochs are chosen on the first.
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
        """95 % of the mean accuracies if other videos of their kind had been drawn."""
        videos = [
            (right[:, here].mean(axis=0).sum(), here.sum())
            for here in (self.dev.video_ids == name for name in np.unique(self.dev.video_ids))
        ]

        def accuracy(drawn):
            hits, utterances = np.sum(drawn, axis=0)
            return hits / utterances

        interval = bootstrap_interval(videos, accuracy)
        return [rounded(interval.low), rounded(interval.high)]


def training_samples(data, modalities, conversations):
    """Inputs, labels and what counts in the loss: of utterances, or of videos."""
    features, labels, here = data.features, data.labels, np.ones(len(data), "bool")
    if conversations:
        features, labels, here = data.group_by_video()
    inputs = {name: features[name] for name in modalities}
    inputs |= {f"{name}_mask": here for name in modalities}
    return jax.tree.map(jnp.asarray, (inputs, labels.astype("float32"), here.astype("float32")))


def dev_samples(data, modalities, conversations, missing):
    """Inputs as `training_samples` has them, with masks that take modalities away."""
    inputs = training_samples(data, modalities, conversations)[0]
    masks = {f"{name}_mask": jnp.zeros_like(inputs[f"{name}_mask"]) for name in missing}
    return inputs | masks


def rounded(value):
    return round(float(value), 4)


def machine():
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
    parser.add_argument("--only", default="", help="models whose names have this in them")
    arguments = parser.parse_args()
    train, dev = read_cmu_mosi(arguments.train), read_cmu_mosi(arguments.dev)
    experiment = Experiment(train, dev, arguments.seeds, arguments.epochs)
    results = {
        **machine(),
        "train": facts(train),
        "dev": facts(dev),
        "majority_accuracy": rounded(np.bincount(dev.labels).max() / len(dev)),
        **{name: getattr(arguments, name) for name in ("seeds", "epochs")},
        "models": {},
        "without_modalities": {},
    }
    if arguments.json.exists():  # Goes on where an earlier run was cut off.
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


def facts(data):
    return {"utterances": len(data), "videos": len(np.unique(data.video_ids))}


if __name__ == "__main__":
    main()
