"""The method `ShapleyValues`."""

import numpy as np

from keras_mmfusion._checks import check_integer
from keras_mmfusion.explain.formulas.shapley_formulas import (
    compute_interactions,
    compute_shapley_values,
    draw_permutations,
    estimate_shapley_values,
    list_coalitions,
    list_prefixes,
)
from keras_mmfusion.explain.methods.explanation_method import Attribution, ExplanationMethod
from keras_mmfusion.explain.methods.players import Players

EXACT_PLAYERS = 8
DEFAULT_SAMPLES = 16


class ShapleyValues(ExplanationMethod):
    """The mean change of the score when a part is added to a random set of other parts.

    ```
    φ_i = Σ_S |S|! (n - |S| - 1)! / n! (f(S ∪ i) - f(S))      over the sets S without i
    Σ_i φ_i = f(all parts) - f(no part)
    ```

    Up to 8 parts, the values are exact: they are computed from all `2**n` sets, 16 for 4
    modalities. Modality values then come with the Shapley interaction index of each pair, which
    is 0 for modalities whose effects add up. With more parts, the values are means over random
    permutations and their reverses, with standard errors.

    At the token level, the shares of the modalities (`Explanation.get_degrees`) are the textual and
    visual degrees of MM-SHAP.

    Args:
        samples: int or `None`. Number of pairs of a random permutation and its reverse; each needs
            about twice as many scores as there are parts. `None` for the exact values up to 8
            parts, and 16 pairs beyond.
        seed: int. Seed of the permutations.
        grid, groups: see `Occlusion`.

    Example:

    >>> from keras_mmfusion.explain import ShapleyValues
    >>> ShapleyValues(samples=8)
    ShapleyValues(samples=8, seed=0, grid=None, groups=None)

    Reference:
        Shapley, "A Value for n-Person Games", 1953; interactions: Grabisch and Roubens, "An
        Axiomatic Approach to the Concept of Interaction among Players in Cooperative Games", 1999;
        permutations: Castro et al., "Polynomial Calculation of the Shapley Value Based on
        Sampling", 2009; Parcalabescu and Frank, "MM-SHAP: A Performance-agnostic Metric for
        Measuring Multimodal Contributions in Vision and Language Models & Tasks", 2023.
    """

    name = "shapley"
    levels = ("modality", "token", "pixel", "feature", "edge")
    removes_parts = True

    def __init__(self, samples=None, seed=0, grid=None, groups=None):
        self.samples = samples if samples is None else check_integer(self, "samples", samples, 2)
        self.seed = check_integer(self, "seed", seed, 0)
        self.grid = grid
        self.groups = groups

    def attribute(self, explainable, level, batch_size):
        players = Players(explainable, level, self.groups, self.grid)
        if self.samples is None and players.count <= EXACT_PLAYERS:
            return self._compute(explainable, players, level, batch_size)
        return self._estimate(explainable, players, batch_size)

    def _compute(self, explainable, players, level, batch_size):
        coalitions = list_coalitions(players.count)
        scores = players.compute_scores(explainable, coalitions, batch_size)
        values = compute_shapley_values(scores)
        interactions = None
        if level == "modality" and players.count == len(explainable.modalities):
            interactions = compute_interactions(scores)
        return _make_attribution(players, values, scores[0], scores[-1], interactions=interactions)

    def _estimate(self, explainable, players, batch_size):
        permutations = draw_permutations(players.count, self.samples or DEFAULT_SAMPLES, self.seed)
        prefixes = list_prefixes(permutations)
        # The same coalitions, such as the empty one, occur in many permutations.
        coalitions, rows = np.unique(
            prefixes.reshape(-1, players.count), axis=0, return_inverse=True
        )
        scores = players.compute_scores(explainable, coalitions, batch_size)
        scores = scores[rows.reshape(prefixes.shape[:-1])]
        values, errors = estimate_shapley_values(permutations, scores)
        errors = players.spread(errors)
        return _make_attribution(
            players, values, scores[0, 0, 0], scores[0, 0, -1], standard_errors=errors
        )


def _make_attribution(players, values, base_value, score, **results):
    error = abs(values.sum() - (score - base_value))
    return Attribution(
        players.spread(values),
        float(score),
        float(base_value),
        checks={"completeness_error": float(error)},
        **results,
    )
