"""The accuracy and cost of a method, measured on samples."""

import dataclasses
import json
import time

import numpy as np

from keras_mmfusion._checks import check_integer
from keras_mmfusion._progress import track
from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.explain.checks.removal_curves import (
    compute_removal_curves,
    flip_cells,
    normalize_areas,
)
from keras_mmfusion.explain.checks.weight_randomization import (
    compute_rank_correlation,
    permute_weights,
)
from keras_mmfusion.explain.explain_prediction import explain_explainable
from keras_mmfusion.explain.make_explainable import make_explainable
from keras_mmfusion.explain.methods.method_table import get_method


@dataclasses.dataclass(frozen=True, repr=False)
class ExplanationChecks:
    """Measures of the accuracy and cost of a method, from `explanation_checks`.

    Args:
        method: string.
        level: string.
        samples: int.
        completeness_error: float or `None`. Mean of `|Σ values - (f(x) - f(baseline))|`, relative
            to the mean of `|f(x) - f(baseline)|`; `None` for methods without a base value.
        randomization_correlation: float. Mean rank correlation of the absolute values with those
            of the same model with permuted weights. Values that do not depend on what the model
            has learned have a correlation near 1.
        removal: dict, modality -> dict of the areas under the curves of `"deletion"`, where lower
            is better, `"insertion"`, where higher is better, and `"random"` deletion.
        flipping: dict, modality of images -> dict of the areas over the curve of pixel flipping,
            `"values"`, where higher is better, and `"random"`.
        hits: dict, modality -> dict of the `"rate"` of samples whose highest value is in the true
            parts, the rate by `"chance"`, and the number of `"samples"`.
        modality_rate: float or `None`. The rate of samples in which the modality with the true
            parts has the largest share of the absolute values.
        seconds: float. Median time for the explanation of a sample, without compilation.
    """

    method: str
    level: str
    samples: int
    completeness_error: float | None
    randomization_correlation: float
    removal: dict
    flipping: dict
    hits: dict
    modality_rate: float | None
    seconds: float

    def __repr__(self):
        return short_repr(self, **dataclasses.asdict(self))

    def to_json(self):
        """Returns all fields as a JSON text."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)


def explanation_checks(
    model,
    samples,
    targets=None,
    method="shapley",
    level="token",
    truths=None,
    seed=0,
    batch_size=32,
):
    """Measures whether the values of a method describe what a model does.

    | check | question |
    |---|---|
    | completeness | Do the values sum to the change of the score from the baseline? |
    | parameter randomization | Do they depend on the weights of the model? |
    | deletion and insertion | Does the score change most with the parts of the highest values? |
    | pixel flipping | The same, with cells of an image replaced by random colors |
    | known truth | Is the highest value in the parts that are known to decide? |

    The last one is the pointing game if the parts are those of an object of an image, and a
    planted signal if the model was trained on data whose cause is known.

    Args:
        model: see `explain`.
        samples: list of `inputs` of `explain`.
        targets: list of one `target` for each sample. Defaults to those of `explain`.
        method: see `explain`.
        level: see `explain`.
        truths: list of one dict for each sample: modality -> bool array of the shape of its parts,
            `True` for the parts that decide; modalities may be left out. Or `None`.
        seed: int. Seed of random orders, colors and weights.
        batch_size: see `explain`.

    Returns:
        `ExplanationChecks`.

    Raises:
        ValueError: if an argument is invalid; see `explain`.

    Reference:
        Adebayo et al., "Sanity Checks for Saliency Maps", 2018, section 3; Petsiuk, Das and Saenko,
        "RISE", 2018, section 4.2; Samek et al., "Evaluating the Visualization of What a Deep
        Neural Network Has Learned", 2017; Zhang et al., "Top-down Neural Attention by Excitation
        Backprop", 2016, section 4.1 (pointing game).
    """
    method = get_method(method)
    batch_size = check_integer("explanation_checks", "batch_size", batch_size)
    samples = list(samples)
    for argument, given in (("targets", targets), ("truths", truths)):
        if given is not None and len(given) != len(samples):
            raise ValueError(
                f"explanation_checks: `{argument}` must have one entry for each of the "
                f"{len(samples)} samples. Received: {len(given)}"
            )
    if not samples:
        raise ValueError("explanation_checks: `samples` must have at least one sample.")
    targets = [None] * len(samples) if targets is None else targets
    explainables = [
        make_explainable(model, inputs, target)
        for inputs, target in zip(samples, targets, strict=True)
    ]
    explain_explainable(explainables[0], method, level, batch_size)  # Compiles.
    seconds, explanations = [], []
    for each in track(explainables, "Explaining"):
        start = time.perf_counter()
        explanations.append(explain_explainable(each, method, level, batch_size))
        seconds.append(time.perf_counter() - start)
    values = [explanation.values for explanation in explanations]
    with permute_weights(model, seed):
        randomized = []
        for each in track(explainables, "Randomizing weights"):
            each.encode_again()
            randomized.append(explain_explainable(each, method, level, batch_size).values)
    for each in explainables:
        each.encode_again()
    removal, flipping = _remove_parts(explainables, values, seed, batch_size)
    hits, modality_rate = _compare_with_truths(explainables, values, truths)
    return ExplanationChecks(
        repr(method),
        level,
        len(samples),
        _compute_completeness_error(explanations),
        _correlate(values, randomized),
        removal,
        flipping,
        hits,
        modality_rate,
        float(np.median(seconds)),
    )


def _compute_completeness_error(explanations):
    errors, changes = [], []
    for each in explanations:
        if each.base_value is None:
            return None
        change = each.score - each.base_value
        errors.append(abs(sum(each.get_modality_values().values()) - change))
        changes.append(abs(change))
    return float(np.sum(errors) / np.sum(changes)) if np.any(changes) else float("nan")


def _correlate(values, others):
    correlations = []
    for one, other in zip(values, others, strict=True):
        arrays = [
            np.concatenate([np.ravel(np.abs(each[name])) for name in one]) for each in (one, other)
        ]
        correlations.append(compute_rank_correlation(*arrays))
    return float(np.mean(correlations))


def _remove_parts(explainables, values, seed, batch_size):
    """Returns the areas of deletion and insertion, and of pixel flipping, by modality."""
    curves, flips = {}, {}
    for each, sample_values in zip(track(explainables, "Removing parts"), values, strict=True):
        for name, x in sample_values.items():
            x = np.asarray(x, "float64")
            fixed = each.fixed.get(name)
            if fixed is not None and fixed.shape == x.shape:
                x = np.where(fixed, np.nan, x)
            if np.sum(~np.isnan(x)) < 2:  # Nothing to order.
                continue
            curve = compute_removal_curves(each, name, x, seed=seed, batch_size=batch_size)
            curves.setdefault(name, []).append(curve)
            if each.kinds[name] == "image":
                areas = flip_cells(each, name, x, seed=seed, batch_size=batch_size)
                flips.setdefault(name, []).append(areas)
    removal = {name: normalize_areas(each) for name, each in curves.items()}
    flipping = {}
    for name, areas in flips.items():
        ordered, unordered = np.mean(areas, axis=0)
        flipping[name] = {"values": float(ordered), "random": float(unordered)}
    return removal, flipping


def _compare_with_truths(explainables, values, truths):
    """Returns the hits of each modality, and the rate of the modality with the true parts."""
    hits, is_largest = {}, []
    if truths is None:
        return hits, None
    for each, sample_values, truth in zip(explainables, values, truths, strict=True):
        for name, true in truth.items():
            if name not in sample_values:  # The method has no values for it.
                continue
            x, true = np.asarray(sample_values[name]), np.asarray(true, "bool")
            if x.shape != true.shape:
                raise ValueError(
                    f"explanation_checks: `truths` must have a bool array of shape {x.shape} for "
                    f"{name!r}, the shape of its parts. Received shape: {true.shape}"
                )
            if x.size > 1:
                fixed = each.fixed.get(name)
                if fixed is not None and fixed.shape == x.shape:
                    x, true = x[~fixed], true[~fixed]
                hits.setdefault(name, []).append((true.ravel()[x.argmax()], true.mean()))
        if len(truth) == 1 and len(sample_values) > 1:
            sums = {name: np.abs(x).sum() for name, x in sample_values.items()}
            is_largest.append(max(sums, key=sums.get) in truth)
    rates = {}
    for name, pairs in hits.items():
        rate, chance = np.mean(pairs, axis=0)
        rates[name] = {"rate": float(rate), "chance": float(chance), "samples": len(pairs)}
    return rates, float(np.mean(is_largest)) if is_largest else None
