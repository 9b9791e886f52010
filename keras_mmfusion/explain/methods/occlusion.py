"""The method `Occlusion`."""

import numpy as np

from keras_mmfusion.explain.methods.explanation_method import Attribution, ExplanationMethod
from keras_mmfusion.explain.methods.players import Players


class Occlusion(ExplanationMethod):
    """The change of the score when a part is removed.

    ```
    value_i = f(x) - f(x without i)
    ```

    The score of all parts without `i` can stay high because another part has the same information;
    then neither has a high value. `ShapleyValues` divides it between them.

    Args:
        grid: pair of ints: rows and columns of the cells that images are divided into. Defaults to
            the grid of the model's image tokens.
        groups: dict, modality -> int array of the shape of its parts. Parts with the same number
            are removed together and share their value evenly; those with a negative number are
            never removed. Defaults to each part on its own.

    Example:

    >>> from keras_mmfusion.explain import Occlusion
    >>> Occlusion(grid=(4, 4))
    Occlusion(grid=(4, 4), groups=None)

    Reference:
        Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014, section
        4.2.
    """

    name = "occlusion"
    levels = ("modality", "token", "pixel", "feature", "edge")
    removes_parts = True

    def __init__(self, grid=None, groups=None):
        self.grid = grid
        self.groups = groups

    def attribute(self, explainable, level, batch_size):
        players = Players(explainable, level, self.groups, self.grid)
        coalitions = np.ones((players.count + 1, players.count), "bool")
        coalitions[1:][np.diag_indices(players.count)] = False
        scores = players.compute_scores(explainable, coalitions, batch_size)
        return Attribution(players.spread(scores[0] - scores[1:]), float(scores[0]))
