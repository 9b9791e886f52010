"""Data of recommenders: interactions and items, in MovieLens' layout or as arrays."""

import pathlib

from keras_mmfusion.datasets.recommendation.interactions import read_interactions
from keras_mmfusion.datasets.recommendation.item_features import ITEMS_FILE, read_item_features
from keras_mmfusion.datasets.recommendation.movielens import read_movielens, read_ratings
from keras_mmfusion.files.csv_files import read_csv


def read_recommender_data(data_dir):
    """Reads the training data of a recommender.

    Args:
        data_dir: string or path. A folder with MovieLens' `ratings.csv` and `movies.csv`; or with
            `interactions.csv`, `items.txt` and a `<modality>.npy` for each modality.

    Returns:
        A tuple of `Interactions` and the items: `Movies`, which are still to be encoded, or
        `ItemFeatures`.

    Raises:
        ValueError: if the folder has neither layout, or a file is invalid.

    Example:

    >>> read_recommender_data("no_such_folder")
    Traceback (most recent call last):
    ...
    ValueError: `data_dir` must have MovieLens' ratings.csv and movies.csv; or interactions.csv...
    """
    folder = pathlib.Path(data_dir)
    if (folder / "ratings.csv").is_file():
        return read_movielens(folder)
    if not (folder / "interactions.csv").is_file():
        raise ValueError(
            "`data_dir` must have MovieLens' ratings.csv and movies.csv; or interactions.csv, with "
            f"the columns user, item and timestamp, {ITEMS_FILE} and a <modality>.npy for each "
            f"modality. Received: data_dir={str(folder)!r}"
        )
    return read_interactions(folder / "interactions.csv"), read_item_features(folder)


def read_any_interactions(path):
    """Reads interactions with the column names of either layout.

    Args:
        path: string or path of a CSV file with the columns `user`, `item` and `timestamp`, or
            `userId`, `movieId` and `timestamp`.

    Returns:
        `Interactions`.

    Raises:
        ValueError: if a column is missing, or the file is invalid.
    """
    _, first_row = next(iter(read_csv(path)), (None, {}))
    return read_ratings(path) if "movieId" in first_row else read_interactions(path)
