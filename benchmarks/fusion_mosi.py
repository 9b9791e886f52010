"""Compares modalities, strategies and rules of fusion on CMU-MOSI's utterances.

    KERAS_BACKEND=jax python benchmarks/fusion_mosi.py --data train.npz \\
        --transcripts transcripts_train.csv --json benchmarks/results/fusion_mosi.json

Cross-validation over whole videos, several seeds. All runs of a model, each seed and fold, train
side by side as one vectorized program, for which the backend must be JAX.
"""

import argparse
import csv
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
from keras_mmfusion.metrics import sentiment_scores
from keras_mmfusion.models import ConversationModel, FusionModel

MODALITIES = ("text", "audio", "video")
DIM = 32
DROPOUT = 0.2


def fusion_model(modalities=MODALITIES, modality_dropout=0.0, head=True, **fusion):
    """A model of utterances; a decision is a logit."""
    decides = "num_outputs" in fusion
    return FusionModel(
        {name: VectorEncoder(DIM, dropout=DROPOUT) for name in modalities},
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
    of_tokens = ("mult", "bottleneck", "perceiver_resampler", "q_former")
    of_tokens += ("gated_cross_attention", "deep_set")
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
    found |= conversations
    found["hybrid, decisions"] = make(fusion_model, strategy="hybrid", num_outputs=1)
    found |= {f"early, {rule}": make(fusion_model, combine=rule) for rule in rules}
    found |= {
        f"early, {rule} (text and video)": make(fusion_model, pair, combine=rule) for rule in pairs
    }
    # Of one token a modality.
    found |= {f"early, {rule}": make(fusion_model, combine=rule) for rule in of_tokens}
    return {name: (function, name in conversations) for name, function in found.items()}


def with_masks(features, here):
    """A model's inputs; the masks say of what it is to make do without."""
    return features | {f"{name}_mask": here for name in features}


class Experiment:
    """Utterances, folds and seeds, on which models are trained.

    Args:
        data: `SentimentUtterances`.
        folds, seeds, epochs: ints.
    """

    batch_sizes = {False: 256, True: 13}  # Utterances, or videos of some 23 utterances.

    def __init__(self, data, folds, seeds, epochs):
        self.data = data
        self.fold_of = data.folds(folds)
        self.runs = list(itertools.product(range(seeds), range(folds)))
        self.epochs = epochs
        _, _, self.here = data.by_video()

    def layout(self, conversations, values):
        """Values of utterances as rows: of utterances, or of videos."""
        if not conversations:
            return values
        laid_out = np.zeros((*self.here.shape, *values.shape[1:]), values.dtype)
        laid_out[self.here] = values
        return laid_out

    def inputs(self, conversations, modalities=MODALITIES, missing=()):
        features = {
            name: self.layout(conversations, self.data.features[name]) for name in modalities
        }
        here = self.here if conversations else np.ones(len(self.data), "bool")
        inputs = with_masks(features, here)
        return inputs | {f"{name}_mask": np.zeros_like(here) for name in missing}

    def train(self, make_model, conversations):
        """Trains every run. Returns the model, and all runs' weights, one more dim."""
        model, weights = self._first_weights(make_model, conversations)
        optimizer = keras.optimizers.AdamW(3e-3, weight_decay=0.01, clipnorm=1.0)
        optimizer.build(model.trainable_variables)
        state = [jnp.asarray(each.value) for each in optimizer.variables]
        inputs = jax.tree.map(jnp.asarray, self.inputs(conversations, model.modalities))
        labels = self.layout(conversations, self.data.labels.astype("float32"))

        def loss(trainable, others, rows, counts):
            batch = jax.tree.map(lambda x: x[rows], inputs)
            logits, others = model.stateless_call(trainable, others, batch, training=True)
            logits, signs = logits[..., 0], 1 - 2 * jnp.asarray(labels)[rows]
            losses = jax.nn.softplus(signs * logits)
            return jnp.sum(counts[rows] * losses) / jnp.sum(counts[rows]), others

        def step(carry, rows):
            trainable, others, state, counts = carry
            gradient = jax.grad(loss, has_aux=True)
            slopes, others = gradient(trainable, others, rows, counts)
            trainable, state = optimizer.stateless_apply(state, slopes, trainable)
            return (trainable, others, state, counts), None

        def run(trainable, others, counts, steps):
            return jax.lax.scan(step, (trainable, others, state, counts), steps)[0][:2]

        counts, steps = self._training_rows(conversations)
        weights = jax.jit(jax.vmap(run))(*weights, counts, steps)
        return model, jax.block_until_ready(weights)

    def _first_weights(self, make_model, conversations):
        weights = []
        for seed, fold in self.runs:
            if fold == 0:
                keras.utils.set_random_seed(seed)
                model = make_model()
                names = model.modalities
                model(jax.tree.map(lambda x: x[:2], self.inputs(conversations, names)))
            encoders = getattr(model, "utterance_model", model).encoders
            for name, encoder in encoders.items():
                encoder.adapt(self.data.features[name][self.fold_of != fold])
            variables = (model.trainable_variables, model.non_trainable_variables)
            weights.append(jax.tree.map(lambda variable: jnp.array(variable.value), variables))
        return model, jax.tree.map(lambda *each: jnp.stack(each), *weights)

    def _training_rows(self, conversations):
        """What counts in the loss of each run, and the rows of each of its steps."""
        counts, steps = [], []
        for seed, fold in self.runs:
            counts.append(self.layout(conversations, np.float32(self.fold_of != fold)))
            rows = np.flatnonzero(counts[-1].reshape(len(counts[-1]), -1).any(axis=1))
            rng = np.random.default_rng(seed)
            size = self.batch_sizes[conversations]
            order = np.concatenate([rng.permutation(rows) for _ in range(self.epochs)])
            steps.append(order)
        # Folds differ by some utterances: all runs have the steps of the smallest.
        count = min(map(len, steps)) // size
        steps = np.stack([order[: count * size].reshape(count, size) for order in steps])
        return np.stack(counts), steps

    def scores(self, model, weights, conversations, missing=()):
        """Accuracy and F1 of each seed, over all held-out utterances; and what each fold has."""
        inputs = self.inputs(conversations, model.modalities, missing)

        @jax.jit
        @jax.vmap
        def predict(trainable, others):
            return model.stateless_call(trainable, others, inputs, training=False)[0][..., 0]

        logits = np.asarray(predict(*weights))
        if conversations:
            logits = logits[:, self.here]
        held_out, folds = {}, []
        for (seed, fold), values in zip(self.runs, logits, strict=True):
            here = self.fold_of == fold
            held_out.setdefault(seed, np.zeros(len(self.data)))[here] = values[here]
            folds.append(np.mean((values[here] > 0) == self.data.labels[here]))
        signs = 2 * self.data.labels - 1
        figures = [sentiment_scores(signs, values) for values in held_out.values()]
        accuracies = [each["non0_accuracy"] for each in figures]
        return {
            "accuracy": rounded(np.mean(accuracies)),
            "accuracy_spread_over_seeds": rounded(np.std(accuracies)),
            "accuracy_spread_over_folds": rounded(np.std(folds)),
            "f1": rounded(np.mean([each["non0_f1"] for each in figures])),
            "accuracy_of_seeds": [rounded(each) for each in accuracies],
        }


def rounded(value):
    return round(float(value), 4)


def words_alone(path, data, fold_of):
    """Accuracy of naive Bayes on the words, which knows no label but those it is trained on."""
    with open(path, encoding="utf-8", newline="") as file:
        texts = {row["utterance_id"]: row["text"].split() for row in csv.DictReader(file)}
    said = [texts[name] for name in data.utterance_ids.tolist()]
    numbers = {word: i for i, word in enumerate(sorted({word for words in said for word in words}))}
    counts = np.zeros((len(said), len(numbers)))
    for row, words in enumerate(said):
        counts[row, [numbers[word] for word in words]] = 1
    right = []
    for fold in np.unique(fold_of):
        here = fold_of == fold
        seen = [counts[~here & (data.labels == label)] for label in (0, 1)]
        shares = [np.log((x.sum(axis=0) + 1) / (x.sum() + len(numbers))) for x in seen]
        scores = counts[here] @ (shares[1] - shares[0]) + np.log(len(seen[1]) / len(seen[0]))
        right.append((scores > 0) == data.labels[here])
    return {
        "accuracy": rounded(np.mean(np.concatenate(right))),
        "accuracy_spread_over_folds": rounded(np.std([each.mean() for each in right])),
    }


def machine():
    return {
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "keras": keras.__version__,
        "jax": jax.__version__,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="train.npz of CMU-MOSI")
    parser.add_argument("--transcripts", type=pathlib.Path, help="transcripts_train.csv")
    parser.add_argument("--json", type=pathlib.Path, required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--only", default="", help="models whose names have this in them")
    arguments = parser.parse_args()
    data = read_cmu_mosi(arguments.data)
    experiment = Experiment(data, arguments.folds, arguments.seeds, arguments.epochs)
    results = {
        **machine(),
        "utterances": len(data),
        "videos": len(np.unique(data.video_ids)),
        **{name: getattr(arguments, name) for name in ("folds", "seeds", "epochs")},
        "models": {},
        "without_modalities": {},
    }
    if arguments.json.exists():  # Goes on where an earlier run was cut off.
        earlier = json.loads(arguments.json.read_text(encoding="utf-8"))
        if all(earlier.get(name) == results[name] for name in ("folds", "seeds", "epochs")):
            results |= {name: earlier[name] for name in ("models", "without_modalities")}
    if arguments.transcripts:
        results["words_alone_naive_bayes"] = words_alone(
            arguments.transcripts, data, experiment.fold_of
        )
    for name, (make_model, conversations) in models().items():
        if arguments.only not in name or name in results["models"]:
            continue
        start = time.process_time()
        model, weights = experiment.train(make_model, conversations)
        seconds = time.process_time() - start
        results["models"][name] = {
            **experiment.scores(model, weights, conversations),
            "parameters": sum(int(np.prod(w.shape)) for w in model.trainable_variables),
            "cpu_seconds_of_all_runs": round(seconds, 1),
        }
        if name in ("early, gated", "early, gated, modality dropout"):
            results["without_modalities"][name] = {
                ", ".join(kept): experiment.scores(
                    model, weights, conversations, set(MODALITIES) - set(kept)
                )
                for count in (3, 2, 1)
                for kept in itertools.combinations(MODALITIES, count)
            }
        print(name, results["models"][name], flush=True)
        write_results(arguments.json, results)


if __name__ == "__main__":
    main()
