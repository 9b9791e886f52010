"""The parts of a sample that are removed together."""

import numpy as np

from keras_mmfusion._progress import track
from keras_mmfusion.explain.image_cells import index_cells


class Players:
    """Assigns each part of a sample to a player, or to none, so that it is never removed.

    Args:
        explainable: `Explainable`.
        level: string, see `explain`.
        groups: dict, modality -> int array of the shape of its parts. Parts with the same number
            are one player; negative numbers are never removed.
        grid: pair of ints, the rows and columns of the cells of images. Defaults to the grid of
            the model's image tokens.

    Attributes:
        count: int.
        index: dict, modality -> int array of the shape of its parts, the player or -1.
    """

    def __init__(self, explainable, level, groups=None, grid=None):
        self.modalities = explainable.modalities
        self.index, self.count = {}, 0
        for name, shape in explainable.get_part_shapes(level).items():
            is_image = explainable.kinds[name] == "image"
            if is_image and level == "token" and grid is not None:
                shape = tuple(grid)
            numbers = np.arange(int(np.prod(shape, dtype=int))).reshape(shape)
            if is_image and level == "pixel":
                numbers = index_cells(shape, grid or explainable.grid)
            fixed = explainable.fixed.get(name)
            if fixed is not None and fixed.shape == shape:
                numbers = np.where(fixed, -1, numbers)
            if groups is not None and name in groups:
                numbers = _check_groups(name, groups[name], shape)
            is_player = numbers >= 0
            _, numbers = np.unique(numbers[is_player], return_inverse=True)
            index = np.full(shape, -1)
            index[is_player] = self.count + numbers
            self.index[name] = index
            self.count += int(numbers.max(initial=-1)) + 1
        if self.count == 0:
            raise ValueError(
                f"There is no part to remove at the level {level!r}: all parts are special tokens, "
                "are padding, or have a negative number in `groups`"
            )

    def expand(self, coalitions):
        """Converts coalitions to the masks of `Explainable.compute`.

        Args:
            coalitions: bool array `(rows, players)`, `True` for the players that are kept.
        """
        padded = np.concatenate([coalitions, np.ones((len(coalitions), 1), "bool")], axis=1)
        everything = np.ones(len(coalitions), "bool")
        return {
            name: padded[:, self.index[name]] if name in self.index else everything
            for name in self.modalities
        }

    def compute_scores(self, explainable, coalitions, batch_size):
        """Computes the scores of coalitions.

        Coalitions are expanded batch by batch: the masks of the pixels of all of them could need
        more memory than the model.

        Args:
            explainable: `Explainable`.
            coalitions: bool array `(rows, players)`.
            batch_size: int. Maximum number of rows in a forward pass.

        Returns:
            Float64 array `(rows,)`.
        """
        starts, scores = range(0, len(coalitions), batch_size), []
        for start in track(starts, "Scores") if len(starts) > 1 else starts:
            keep = self.expand(coalitions[start : start + batch_size])
            scores.append(explainable.compute_scores(keep, batch_size))
        return np.concatenate(scores)

    def spread(self, values):
        """Divides the value of each player evenly among its parts.

        Args:
            values: float array `(players,)`.

        Returns:
            Dict, modality -> float array of the shape of its parts.
        """
        indices = np.concatenate([index.ravel() for index in self.index.values()])
        sizes = np.bincount(indices[indices >= 0], minlength=self.count)
        padded = np.append(values / np.maximum(sizes, 1), 0.0)
        return {name: padded[index] for name, index in self.index.items()}


def _check_groups(name, groups, shape):
    groups = np.asarray(groups)
    if groups.shape != shape or groups.dtype.kind not in "iu":
        raise ValueError(
            f"`groups` must have, for {name!r}, an integer for each part: an array of shape "
            f"{shape}. Received: shape {groups.shape}, dtype {groups.dtype}"
        )
    return groups
