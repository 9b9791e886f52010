"""How the score changes when the parts with the highest values are removed first."""

import copy
import dataclasses

import numpy as np

MAX_POINTS = 20  # Points of a curve, besides the first.


@dataclasses.dataclass(frozen=True)
class RemovalCurves:
    """Scores of a sample while the parts of one modality are removed or inserted.

    Args:
        deletion: float array `(points,)`: scores with more and more parts removed.
        insertion: float array `(points,)`: scores with more and more parts kept, all others
            removed.
        random: float array `(orders, points)`: deletion in random orders.
    """

    deletion: np.ndarray
    insertion: np.ndarray
    random: np.ndarray


def compute_removal_curves(explainable, name, values, orders=4, seed=0, batch_size=32):
    """Removes, or inserts, the parts of a modality in the order of their values.

    Args:
        explainable: `Explainable`.
        name: string, the modality. All others are kept.
        values: float array of the shape of the modality's parts. NaN is never removed.
        orders: int. Number of random orders for comparison.
        seed: int. Seed of the orders.
        batch_size: int. Maximum number of changed samples in a forward pass.

    Returns:
        `RemovalCurves`.

    Reference:
        Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box
        Models", 2018, section 4.2.
    """
    flat = np.ravel(values)
    parts = np.flatnonzero(~np.isnan(flat))
    rng = np.random.default_rng(seed)
    by_value = parts[np.argsort(-flat[parts], kind="stable")]
    counts = np.linspace(0, len(parts), min(len(parts), MAX_POINTS) + 1).round().astype(int)
    masks = []
    for order in [by_value, by_value, *(rng.permutation(parts) for _ in range(orders))]:
        removed = np.zeros((len(counts), flat.size), "bool")
        for row, count in enumerate(counts):
            removed[row, order[:count]] = True
        masks.append(~removed)
    masks[1] = ~masks[1]
    masks[1][:, np.isnan(flat)] = True
    keep = np.concatenate(masks).reshape(-1, *np.shape(values))
    everything = np.ones(len(keep), "bool")
    scores = explainable.compute_scores(
        {each: keep if each == name else everything for each in explainable.modalities}, batch_size
    ).reshape(orders + 2, len(counts))
    return RemovalCurves(scores[0], scores[1], scores[2:])


def flip_cells(explainable, name, values, samples=4, seed=0, batch_size=32):
    """Replaces the cells of an image by random colors, those with the highest values first.

    ```
    AOPC = mean over the first half of the cells k, and over random colors, of f(x) - f(x_k)
    ```

    Args:
        explainable: `Explainable`.
        name: string, the modality of the image.
        values: float array `(rows, columns)`.
        samples: int. Number of random images that colors are taken from.
        seed: int.
        batch_size: see `compute_removal_curves`.

    Returns:
        A tuple of floats: the area over the curve for the order of the values, and for a random
        order.

    Reference:
        Bach et al., "On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise
        Relevance Propagation", 2015, pixel flipping; for regions: Samek et al., "Evaluating the
        Visualization of What a Deep Neural Network Has Learned", 2017, equation 12.
    """
    rng = np.random.default_rng(seed)
    image, key = explainable.inputs[name], f"{name}_baseline"
    changed = copy.copy(explainable)
    changed.replaced = (*explainable.replaced, name)  # Pixels are replaced, not masked.
    areas = []
    for sample in range(samples):
        colors = rng.uniform(image.min(), image.max(), image.shape)
        changed.constants = {**explainable.constants, key: colors.astype("float32")}
        curves = compute_removal_curves(changed, name, values, 1, seed + sample, batch_size)
        half = len(curves.deletion) // 2
        orders = (curves.deletion, curves.random[0])
        areas.append([np.mean(scores[0] - scores[1 : half + 1]) for scores in orders])
    ordered, unordered = np.mean(areas, axis=0)
    return float(ordered), float(unordered)


def normalize_areas(curves):
    """Computes the areas under curves of several samples, between the scores at their ends.

    ```
    area = Σ_samples mean_k (f_k - f_removed) / Σ_samples (f_all - f_removed)
    ```

    A good order has a low area for deletion and a high one for insertion.

    Args:
        curves: list of `RemovalCurves`.

    Returns:
        A dict of the areas of `"deletion"`, `"insertion"` and `"random"` deletion, floats; NaN if
        the removal changes nothing.
    """
    ranges = np.array([each.deletion[0] - each.deletion[-1] for each in curves])
    total = ranges.sum()
    areas = {}
    for kind in ("deletion", "insertion", "random"):
        means = [np.mean(_trapezoid(getattr(each, kind)) - each.deletion[-1]) for each in curves]
        areas[kind] = float(np.sum(means) / total) if total else float("nan")
    return areas


def _trapezoid(scores):
    """Returns the mean of the piecewise linear curve through the last axis of `scores`."""
    return ((scores[..., 1:] + scores[..., :-1]) / 2).mean(axis=-1)
