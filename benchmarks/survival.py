"""Survival of patients of TCGA on MCAT's five folds: fusion next to Cox models and single inputs.

    python benchmarks/survival.py --data ../shared/data/tcga

The held-out patients of a fold are scored once. Every setting (ridge penalties, the number of
principal components, epochs) is selected on a fifth of the fold's training patients. Times are
months; the metric is Harrell's concordance index of each fold, averaged over folds and seeds.
"""

import argparse
import dataclasses
import pathlib
import statistics

import keras
import numpy as np
from write_results import write_results

from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.datasets import (
    find_group_columns,
    read_gene_groups,
    read_patient_folds,
    read_tcga,
)
from keras_mmfusion.datasets.medical.patient_splits import assign_folds
from keras_mmfusion.files.json_files import read_json
from keras_mmfusion.metrics import concordance_index
from keras_mmfusion.models.survival import SurvivalRecipe, train_survival

# Harrell's index of the genes-only network of MCAT's paper (SNN) on these folds.
PUBLISHED_GENES_ONLY = {"blca": 0.541, "luad": 0.539}
PENALTIES = (0.01, 0.1, 1.0)
COMPONENTS = (2, 5, 10, 20)
MODALITIES = {
    "genes": ("expression", "copy_number"),
    "genes and clinical": ("clinical", "expression", "copy_number"),
}
RECIPE = SurvivalRecipe(combine="concat", epochs=12)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the tables")
    parser.add_argument("--studies", nargs="+", default=["blca", "luad"])
    parser.add_argument("--models", nargs="+", default=["cox", "fusion"], choices=["cox", "fusion"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument(
        "--out", type=pathlib.Path, default=pathlib.Path("benchmarks/results/survival.json")
    )
    arguments = parser.parse_args()
    for study in arguments.studies:
        result = score_study(arguments.data, study, arguments.models, arguments.seeds)
        # Other studies and models in the file are kept.
        results = read_json(arguments.out) if arguments.out.exists() else {}
        models = results.get(study, {}).get("models", {}) | result["models"]
        results[study] = {**result, "models": models}
        write_results(arguments.out, dict(sorted(results.items())))


def score_study(folder, study, kinds, seeds):
    """Returns the scores of models, `"cox"` or `"fusion"`, on all folds of a study."""
    data = read_tcga(folder / f"tcga_{study}_all_clean.csv.zip")
    groups = read_gene_groups(folder / "signatures.csv")
    groups = {
        name: list(find_group_columns(groups, data.columns[name]).values())
        for name in MODALITIES["genes"]
    }
    scores = {}
    for fold, (train_ids, held_out_ids) in enumerate(
        read_patient_folds(folder / f"splits_{study}")
    ):
        train, held_out = data.select(train_ids), data.select(held_out_ids)
        part = assign_folds(train.patient_ids, train.events, 5)
        inner, dev = train.select(part != 0), train.select(part == 0)
        results = score_cox_models(train, held_out, inner, dev) if "cox" in kinds else {}
        for name, modalities in MODALITIES.items() if "fusion" in kinds else ():
            parts = [each.keep_modalities(modalities) for each in (train, held_out, inner, dev)]
            results[name] = score_fusion(*parts, groups, seeds)
        for name, result in results.items():
            scores.setdefault(name, []).append(result)
            print(study, fold, name, result, flush=True)
    recipe = dataclasses.asdict(RECIPE)
    models = {
        name: {
            "c_index": statistics.mean(result["c_index"] for result in results),
            "std_of_folds": statistics.stdev(result["c_index"] for result in results),
            "folds": results,
            "versions": describe_versions(),
            "machine": describe_machine(),
            **({} if name.startswith("Cox") else {"recipe": recipe, "seeds": seeds}),
        }
        for name, results in scores.items()
    }
    return {
        "patients": len(data),
        "events": int(data.events.sum()),
        "published_genes_only": PUBLISHED_GENES_ONLY.get(study),
        "models": models,
    }


def score_cox_models(train, held_out, inner, dev):
    """Scores Cox's model on the clinical record, alone and with principal components of genes."""

    inner_axes, axes = find_principal_axes(inner), find_principal_axes(train)

    def select(number_of_components):
        """Returns the held-out score of the settings that are best on the inner dev patients."""
        candidates = []
        for count in number_of_components:
            for penalty in PENALTIES:
                score = score_cox(inner, dev, inner_axes[:count], penalty)
                candidates.append((score, count, penalty))
        dev_score, count, penalty = max(candidates)
        return {
            "c_index": score_cox(train, held_out, axes[:count], penalty),
            "dev_c_index": dev_score,
            "components": count,
            "penalty": penalty,
        }

    return {
        "Cox, clinical": select([0]),
        "Cox, clinical and principal components": select(COMPONENTS),
    }


def find_principal_axes(data):
    """Returns the first principal axes of the standardized expression, `(components, genes)`."""
    genes = data.features["expression"].astype("float64")
    deviations = np.maximum(genes.std(axis=0), 1e-6)
    standardized = (genes - genes.mean(axis=0)) / deviations
    axes = np.linalg.svd(standardized, full_matrices=False)[2][: max(COMPONENTS)]
    return axes / deviations  # The projections are standardized again, so means do not matter.


def score_cox(train, held_out, axes, penalty):
    """Returns the index of Cox's model on the clinical record and components of genes."""
    tables = []
    for data in (train, held_out):
        components = data.features["expression"].astype("float64") @ axes.T
        clinical = data.features["clinical"].astype("float64")
        known = np.nanmean(train.features["clinical"], axis=0)
        clinical = np.where(np.isnan(clinical), known, clinical)
        tables.append(np.concatenate([clinical, components], axis=1))
    mean, deviation = tables[0].mean(axis=0), tables[0].std(axis=0)
    train_table, table = ((each - mean) / deviation for each in tables)
    weights = fit_cox(train_table, train.times, train.events, penalty)
    return concordance_index(held_out.times, held_out.events, table @ weights)


def fit_cox(features, times, events, penalty, steps=50):
    """Fits Cox's model (Breslow's ties) with a ridge penalty by Newton's method.

    Minimizes `-log partial likelihood / samples + penalty / 2 ‖w‖²`, as lifelines does.
    """
    at_risk = times[None, :] >= times[events][:, None]

    def compute_loss(weights):
        """Returns the loss, and the share of each patient in each risk set."""
        logits = np.where(at_risk, features @ weights, -np.inf)
        highest = logits.max(axis=1, keepdims=True)
        hazards = np.exp(logits - highest)
        totals = hazards.sum(axis=1, keepdims=True)
        losses = np.log(totals) + highest - (features[events] @ weights)[:, None]
        return losses.sum() / len(times) + penalty / 2 * weights @ weights, hazards / totals

    weights = np.zeros(features.shape[1])
    loss, shares = compute_loss(weights)
    for _ in range(steps):
        means = shares @ features
        gradient = (means - features[events]).sum(axis=0) / len(times) + penalty * weights
        hessian = (features * shares.sum(axis=0)[:, None]).T @ features - means.T @ means
        hessian = hessian / len(times) + penalty * np.eye(len(weights))
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (new := compute_loss(weights - size * step))[0] > loss and size > 1e-6:
            size /= 2
        weights, (loss, shares) = weights - size * step, new
        if size <= 1e-6 or np.abs(size * step).max() < 1e-8:
            break
    return weights


def score_fusion(train, held_out, inner, dev, groups, seeds):
    """Scores `SurvivalModel`: epochs from the inner dev patients, then training on all."""
    groups = {name: groups[name] for name in train.features if name in groups}
    recorder = _DevScores(dev)
    train_survival(dataclasses.replace(RECIPE, seed=seeds[0]), inner, groups, [recorder])
    epochs = int(np.argmax(recorder.scores)) + 1
    scores = []
    for seed in seeds:
        recipe = dataclasses.replace(RECIPE, epochs=epochs, seed=seed)
        model = train_survival(recipe, train, groups)
        risks = model.predict_risks(held_out.make_inputs(), batch_size=len(held_out))
        scores.append(concordance_index(held_out.times, held_out.events, risks))
    return {
        "c_index": statistics.mean(scores),
        "of_seeds": scores,
        "dev_c_index": max(recorder.scores),
        "epochs": epochs,
    }


class _DevScores(keras.callbacks.Callback):
    """Scores the inner dev patients after each epoch."""

    def __init__(self, data):
        super().__init__()
        self.data = data
        self.scores = []

    def on_epoch_end(self, epoch, logs=None):
        risks = self.model.predict_risks(self.data.make_inputs(), batch_size=len(self.data))
        self.scores.append(concordance_index(self.data.times, self.data.events, risks))


if __name__ == "__main__":
    main()
