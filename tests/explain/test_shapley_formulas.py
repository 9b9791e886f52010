"""Shapley values and interactions, compared with their definitions."""

import itertools
import math

import numpy as np
import pytest

from keras_mmfusion.explain.formulas import shapley_formulas as formulas

PLAYERS = 5
SCORES = np.random.default_rng(0).normal(size=2**PLAYERS)


def get_score(players):
    return SCORES[sum(2**player for player in players)]


def test_values_are_the_mean_gains_over_all_permutations():
    expected = np.zeros(PLAYERS)
    for permutation in itertools.permutations(range(PLAYERS)):
        for position, player in enumerate(permutation):
            before = permutation[:position]
            expected[player] += get_score((*before, player)) - get_score(before)
    expected /= math.factorial(PLAYERS)
    np.testing.assert_allclose(formulas.compute_shapley_values(SCORES), expected, atol=1e-12)


def test_interactions_follow_their_definition():
    expected = np.zeros((PLAYERS, PLAYERS))
    for i, j in itertools.permutations(range(PLAYERS), 2):
        others = [player for player in range(PLAYERS) if player not in (i, j)]
        for size in range(len(others) + 1):
            weight = math.factorial(size) * math.factorial(PLAYERS - size - 2)
            weight /= math.factorial(PLAYERS - 1)
            for s in itertools.combinations(others, size):
                gain = get_score((*s, i, j)) - get_score((*s, i))
                expected[i, j] += weight * (gain - get_score((*s, j)) + get_score(s))
    np.testing.assert_allclose(formulas.compute_interactions(SCORES), expected, atol=1e-12)


def test_all_permutations_estimate_the_exact_values():
    forward = np.array(list(itertools.permutations(range(PLAYERS))))
    permutations = np.stack([forward, forward[:, ::-1]], axis=1)
    scores = SCORES[formulas.list_prefixes(permutations) @ 2 ** np.arange(PLAYERS)]
    values, errors = formulas.estimate_shapley_values(permutations, scores)
    np.testing.assert_allclose(values, formulas.compute_shapley_values(SCORES), atol=1e-12)
    assert errors.shape == (PLAYERS,) and (errors > 0).all()


def test_estimates_are_within_their_standard_errors():
    permutations = formulas.draw_permutations(PLAYERS, 200, seed=1)
    np.testing.assert_array_equal(permutations[:, 0], permutations[:, 1, ::-1])
    scores = SCORES[formulas.list_prefixes(permutations) @ 2 ** np.arange(PLAYERS)]
    values, errors = formulas.estimate_shapley_values(permutations, scores)
    distances = np.abs(values - formulas.compute_shapley_values(SCORES)) / errors
    assert distances.max() < 3.5 and distances.mean() > 0.1


def test_reversed_permutations_are_exact_for_pairs_of_players():
    # A sum of effects of players and of pairs: each pair of permutations has the exact values.
    rng = np.random.default_rng(2)
    effects = rng.normal(size=(PLAYERS, PLAYERS))
    coalitions = formulas.list_coalitions(PLAYERS).astype("float64")
    scores = np.einsum("si,ij,sj->s", coalitions, effects, coalitions)
    permutations = formulas.draw_permutations(PLAYERS, 2, seed=3)
    rows = formulas.list_prefixes(permutations) @ 2 ** np.arange(PLAYERS)
    values, errors = formulas.estimate_shapley_values(permutations, scores[rows])
    np.testing.assert_allclose(values, formulas.compute_shapley_values(scores), atol=1e-12)
    np.testing.assert_allclose(errors, 0.0, atol=1e-12)


@pytest.mark.peers
def test_values_match_shap():
    shap = pytest.importorskip("shap")
    weights = np.random.default_rng(4).normal(size=(4, 4))

    def score(x):
        return np.einsum("bi,ij,bj->b", x, weights, x) + np.prod(x, axis=1)

    x, base = np.array([[1.0, 2.0, -1.0, 0.5]]), np.array([[0.0, 1.0, 1.0, 0.0]])
    scores = score(np.where(formulas.list_coalitions(4), x, base))
    explainer = shap.explainers.ExactExplainer(score, shap.maskers.Independent(base))
    np.testing.assert_allclose(
        formulas.compute_shapley_values(scores), explainer(x).values[0], atol=1e-9
    )
