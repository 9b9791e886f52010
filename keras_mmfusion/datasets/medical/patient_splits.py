"""Splits by patient: samples of the same patient are never in two parts."""

import itertools

import numpy as np

_EXAMPLES = 20


def check_disjoint(parts, noun="patients"):
    """Raises an error if parts of a data set share an id.

    Args:
        parts: dict, name of the part, such as `"train"` -> sequence of ids.
        noun: string. What the ids identify.

    Raises:
        ValueError: if an id is in two parts; the message lists the ids.

    Example:

    >>> check_disjoint({"train": ["a", "b"], "dev": ["b", "c"]})
    Traceback (most recent call last):
    ...
    ValueError: 1 patients are in both 'train' and 'dev': b. A patient must be in one part only, ...
    """
    parts = {name: set(ids) for name, ids in parts.items()}
    for (first, ids), (second, others) in itertools.combinations(parts.items(), 2):
        both = sorted(map(str, ids & others))
        if both:
            more = f" and {len(both) - _EXAMPLES} more" if len(both) > _EXAMPLES else ""
            raise ValueError(
                f"{len(both)} {noun} are in both {first!r} and {second!r}: "
                f"{', '.join(both[:_EXAMPLES])}{more}. A {noun.removesuffix('s')} must be in one "
                "part only, or the scores do not measure new ones."
            )


def assign_folds(groups, labels, count, seed=0):
    """Assigns groups of samples, such as the photos of a lesion, to folds with similar labels.

    Args:
        groups: sequence `(samples,)` of ids. Samples of a group are in the same fold.
        labels: sequence `(samples,)` of classes. The first label of a group counts.
        count: int, at least 2. The number of folds.
        seed: int.

    Returns:
        Int array `(samples,)`, the fold of each sample.

    Raises:
        ValueError: if `count` is less than 2, or there are fewer groups.

    Example:

    >>> assign_folds(["a", "a", "b", "c", "d"], [0, 0, 0, 1, 1], count=2).tolist()
    [0, 0, 1, 0, 1]
    """
    ids, first, index = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    if not 2 <= count <= len(ids):
        raise ValueError(
            f"`count` must be from 2 to the number of groups, {len(ids)}. Received: {count}"
        )
    shuffled = np.random.default_rng(seed).permutation(len(ids))
    order = shuffled[np.argsort(np.asarray(labels)[first][shuffled], kind="stable")]
    folds = np.empty(len(ids), "int64")
    folds[order] = np.arange(len(ids)) % count  # The groups of a class alternate between folds.
    return folds[index]
