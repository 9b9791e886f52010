"""Features of items in several modalities, and their files."""

import contextlib
import dataclasses
import os
import pathlib

import numpy as np

from keras_mmfusion._checks import check_choice
from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.datasets.io.identifiers import check_unique_ids
from keras_mmfusion.files.atomic_files import replace_file
from keras_mmfusion.files.text_files import read_list

ITEMS_FILE = "items.txt"


@dataclasses.dataclass(frozen=True, repr=False)
class ItemFeatures:
    """Features of items in several modalities, some of which can be missing.

    Args:
        item_ids: string array `(items,)`.
        features: dict, modality -> float32 array `(items, dim)`. A row of NaN denotes a missing
            modality.

    Raises:
        ValueError: if an id is missing or repeated, an array is not numeric or has an invalid
            shape, or a row has both finite and other values.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import ItemFeatures
    >>> items = ItemFeatures(
    ...     np.array(["tea", "milk"]),
    ...     {"photo": np.array([[1.0, 2.0], [np.nan, np.nan]]), "text": np.ones((2, 3))},
    ... )
    >>> items.get_mask("photo").tolist()
    [True, False]
    """

    item_ids: np.ndarray
    features: dict

    def __post_init__(self):
        object.__setattr__(self, "item_ids", check_unique_ids(self.item_ids, "`item_ids`"))
        if not hasattr(self.features, "items"):
            raise ValueError(
                "`features` must be a dict, modality -> array. Received: "
                f"{type(self.features).__name__}"
            )
        features = {name: _as_floats(name, values) for name, values in self.features.items()}
        object.__setattr__(self, "features", features)
        for name, values in features.items():
            if np.ndim(values) != 2 or len(values) != len(self.item_ids):
                raise ValueError(
                    f"`features[{name!r}]` must have the shape (items, dim) with "
                    f"{len(self.item_ids)} items. Received shape: {np.shape(values)}"
                )
            is_invalid = ~np.isfinite(values).all(axis=1) & self.get_mask(name)
            invalid = np.flatnonzero(is_invalid)
            if len(invalid):
                raise ValueError(
                    f"`features[{name!r}]` must be finite, or NaN in the whole row of an item "
                    f"without the modality. Items: {', '.join(self.item_ids[invalid[:20]])}"
                )

    def __len__(self):
        return len(self.item_ids)

    def __repr__(self):
        dims = {name: np.shape(values)[1] for name, values in self.features.items()}
        return short_repr(self, items=len(self), dims=dims)

    def get_mask(self, modality):
        """Returns the mask of a modality, bool `(items,)`, `False` where it is missing."""
        return ~np.isnan(self.features[modality]).all(axis=1)

    def drop(self, modality):
        """Returns the items without a modality.

        Args:
            modality: string.

        Returns:
            `ItemFeatures`.
        """
        check_choice(None, "modality", modality, self.features)
        kept = {name: values for name, values in self.features.items() if name != modality}
        return ItemFeatures(self.item_ids, kept)


def _as_floats(name, values):
    try:
        values = np.asarray(values)
        if values.dtype.kind not in "fiubO":
            raise ValueError(f"the dtype is {values.dtype}")
        return values.astype("float32", copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`features[{name!r}]` must be numbers: {error}") from None


def read_item_features(folder):
    """Reads a folder with `items.txt`, an id on each line, and `<modality>.npy` for each modality.

    Args:
        folder: string or path. The arrays are floats `(items, dim)`, in the order of the ids, with
            a row of NaN for a missing modality.

    Returns:
        `ItemFeatures`.

    Raises:
        ValueError: if a file is missing or invalid.
    """
    folder = pathlib.Path(folder)
    arrays = sorted(folder.glob("*.npy"))
    if not (folder / ITEMS_FILE).is_file() or not arrays:
        raise ValueError(
            f"{os.fspath(folder)!r} must contain {ITEMS_FILE}, an id on each line, and "
            "<modality>.npy, an array (items, dim), for each modality."
        )
    ids = np.array(read_list(folder / ITEMS_FILE))
    try:
        features = {path.stem: np.load(path, allow_pickle=False) for path in arrays}
        return ItemFeatures(ids, features)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"The arrays in {os.fspath(folder)!r} must be numeric and match {ITEMS_FILE}: {error}"
        ) from error


def write_item_features(items, folder):
    """Writes items to a folder that `read_item_features` can read.

    Args:
        items: `ItemFeatures`.
        folder: string or path. It is created if necessary.

    Returns:
        The path of the folder.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        # The file of ids is entered first and so replaced last: a folder with ids is complete.
        ids_file = stack.enter_context(replace_file(folder / ITEMS_FILE))
        for name, values in items.features.items():
            scratch = stack.enter_context(replace_file(folder / f"{name}.npy"))
            np.save(scratch, np.asarray(values, "float32"))
        ids_file.write_text("".join(f"{name}\n" for name in items.item_ids), encoding="utf-8")
    return folder
