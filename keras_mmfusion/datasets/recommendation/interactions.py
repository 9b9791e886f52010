"""User-item interactions with timestamps, and their split into training and test data."""

import dataclasses

import numpy as np

from keras_mmfusion._checks import check_choice, check_proportion
from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.datasets.io.identifiers import check_ids
from keras_mmfusion.datasets.io.table_rows import Table

SPLITS = ("user_time", "global_time", "random")


@dataclasses.dataclass(frozen=True, repr=False)
class Interactions:
    """Interactions of users with items, such as ratings, clicks or purchases.

    If a user interacts with an item several times, only the last interaction is kept.

    Args:
        users: string array `(interactions,)`. The id of the user.
        items: string array `(interactions,)`. The id of the item.
        timestamps: float64 array `(interactions,)`, in seconds or any other unit; or datetimes,
            which are converted to seconds.

    Raises:
        ValueError: if the lengths differ, an id is missing (`None`, NaN or empty), or a timestamp
            is not finite.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import Interactions
    >>> interactions = Interactions(
    ...     np.array(["ann", "ann", "bob", "ann"]),
    ...     np.array(["tea", "milk", "tea", "tea"]),
    ...     np.array([1.0, 2.0, 3.0, 4.0]),
    ... )
    >>> len(interactions), interactions.timestamps.tolist()
    (3, [2.0, 3.0, 4.0])
    """

    users: np.ndarray
    items: np.ndarray
    timestamps: np.ndarray

    def __post_init__(self):
        users, items = check_ids(self.users, "`users`"), check_ids(self.items, "`items`")
        times = _check_times(self.timestamps)
        if not len(users) == len(items) == len(times):
            raise ValueError(
                "`users`, `items` and `timestamps` must have the same length. Received: "
                f"{len(users)}, {len(items)} and {len(times)}"
            )
        order = np.lexsort((times, items, users))
        same = (users[order][1:] == users[order][:-1]) & (items[order][1:] == items[order][:-1])
        kept = np.sort(np.delete(order, np.flatnonzero(same)))
        object.__setattr__(self, "users", users[kept])
        object.__setattr__(self, "items", items[kept])
        object.__setattr__(self, "timestamps", times[kept])

    def __len__(self):
        return len(self.users)

    def __repr__(self):
        users, items = len(np.unique(self.users)), len(np.unique(self.items))
        return short_repr(self, interactions=len(self), users=users, items=items)

    def select(self, rows):
        """Selects interactions.

        Args:
            rows: bool or int array.

        Returns:
            `Interactions`.
        """
        return Interactions(self.users[rows], self.items[rows], self.timestamps[rows])


def _check_times(timestamps):
    times = np.asarray(timestamps)
    if times.dtype.kind == "M":
        times = (times - np.datetime64(0, "s")) / np.timedelta64(1, "s")
    try:
        if times.dtype.kind == "c":
            raise TypeError("they are complex")
        times = times.astype("float64")
    except (TypeError, ValueError) as error:
        raise ValueError(f"`timestamps` must be finite numbers: {error}") from None
    if times.ndim != 1:
        raise ValueError(f"`timestamps` must be a list or array. Received: {timestamps!r:.80}")
    invalid = np.flatnonzero(~np.isfinite(times))
    if len(invalid):
        raise ValueError(
            f"`timestamps` must be finite numbers. Received: {times[invalid[0]]} at index "
            f"{invalid[0]}"
        )
    return times


def read_interactions(path, user="user", item="item", timestamp="timestamp"):
    """Reads a table with an interaction in each row.

    Args:
        path: string or path of a CSV file with a header, or a pandas `DataFrame`.
        user, item, timestamp: strings. The names of the columns. Other columns, such as ratings,
            are ignored.

    Returns:
        `Interactions`.

    Raises:
        ValueError: if a column is missing, the table has no rows, or a row has no id or timestamp;
            the message contains the line.
    """
    table = Table(path, (user, item, timestamp))
    lines, users, items, times = [], [], [], []
    for line, row in table.read_rows():
        time = _to_seconds(row.get(timestamp))
        if not np.isfinite(time):
            raise ValueError(
                f"{table.name}, {table.unit} {line}: {timestamp!r} must be a number, or a datetime "
                f"in a DataFrame. Received: {row!r:.200}"
            )
        lines.append(line)
        users.append(row.get(user))
        items.append(row.get(item))
        times.append(time)
    if not users:
        raise ValueError(f"{table.name} has no rows.")
    users = check_ids(users, f"The column {user!r} of {table.name}", table.unit, lines)
    items = check_ids(items, f"The column {item!r} of {table.name}", table.unit, lines)
    return Interactions(users, items, np.array(times))


def _to_seconds(time):
    """Converts a number or datetime to a float; other values to NaN."""
    if isinstance(time, bool):
        return np.nan
    try:
        return float(time.timestamp() if hasattr(time, "timestamp") else time)
    except (TypeError, ValueError):
        return np.nan


def split_interactions(interactions, how="user_time", test_fraction=0.15, seed=0):
    """Splits interactions into training and test data.

    Args:
        interactions: `Interactions`.
        how: string. The test interactions are, for `"user_time"`, the latest of each user, at
            least one unless the user has only one; for `"global_time"`, the latest of all users;
            for `"random"`, a random sample.
        test_fraction: float in (0, 1). The fraction of test interactions.
        seed: int. The seed for `how="random"`.

    Returns:
        A tuple of two `Interactions`, for training and test.

    Raises:
        ValueError: if `how` is unknown, or a part would be empty.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import Interactions, split_interactions
    >>> users, items = np.array(list("aaaabbbb")), np.array(list("wxyzwxyz"))
    >>> interactions = Interactions(users, items, np.array([1, 2, 3, 4, 8, 7, 6, 5]))
    >>> train, test = split_interactions(interactions, "user_time", test_fraction=0.25)
    >>> test.items.tolist()
    ['z', 'w']
    """
    check_choice(None, "how", how, SPLITS)
    check_proportion(None, "test_fraction", test_fraction)
    total = len(interactions)
    is_test = np.zeros(total, "bool")
    if how == "random":
        chosen = np.random.default_rng(seed).permutation(total)[: round(test_fraction * total)]
        is_test[chosen] = True
    else:
        groups = interactions.users if how == "user_time" else np.zeros(total)
        # Ties are broken by the ids, so that the split does not depend on the order of the rows.
        order = np.lexsort(
            (interactions.users, interactions.items, interactions.timestamps, groups)
        )
        _, starts, counts = np.unique(groups[order], return_index=True, return_counts=True)
        test_counts = np.minimum(np.maximum(1, np.round(test_fraction * counts)), counts - 1)
        position = np.arange(total) - np.repeat(starts, counts)
        is_test[order] = position >= np.repeat(counts - test_counts, counts)
    if not is_test.any() or is_test.all():
        raise ValueError(f"`interactions` has too few rows to be split. Received: {total}")
    return interactions.select(~is_test), interactions.select(is_test)
