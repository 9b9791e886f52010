"""Data of recommenders: training and test interactions, and the items."""

import dataclasses
import pathlib

from keras_mmfusion.datasets.recommendation.interactions import Interactions, read_interactions
from keras_mmfusion.datasets.recommendation.item_features import (
    ITEMS_FILE,
    ItemFeatures,
    read_item_features,
)
from keras_mmfusion.datasets.recommendation.movielens import Movies, read_movielens, read_ratings


@dataclasses.dataclass(frozen=True)
class RecommenderTables:
    """Interactions and items of a recommender.

    Args:
        interactions: `Interactions` for training.
        test: `Interactions` to predict.
        items: `Movies`, which are still to be encoded, or `ItemFeatures`.
    """

    interactions: Interactions
    test: Interactions
    items: Movies | ItemFeatures


def read_recommender_tables(data_dir, test):
    """Reads a folder of MovieLens, or of arrays, and a table of later interactions.

    Args:
        data_dir: string or path. A folder with MovieLens' `ratings.csv` and `movies.csv`; or with
            `interactions.csv`, `items.txt` and a `<modality>.npy` for each modality.
        test: string or path of a CSV file with the same columns as the folder's interactions.

    Returns:
        `RecommenderTables`.

    Raises:
        ValueError: if the folder has neither layout, or a file is invalid.

    Example:

    >>> read_recommender_tables("no_such_folder", "test.csv")
    Traceback (most recent call last):
    ...
    ValueError: `data_dir` must have MovieLens' ratings.csv and movies.csv; or interactions.csv...
    """
    folder = pathlib.Path(data_dir)
    if (folder / "ratings.csv").is_file():
        interactions, movies = read_movielens(folder)
        return RecommenderTables(interactions, read_ratings(test), movies)
    if not (folder / "interactions.csv").is_file():
        raise ValueError(
            "`data_dir` must have MovieLens' ratings.csv and movies.csv; or interactions.csv, with "
            f"the columns user, item and timestamp, {ITEMS_FILE} and a <modality>.npy for each "
            f"modality. Received: data_dir={str(folder)!r}"
        )
    interactions = read_interactions(folder / "interactions.csv")
    return RecommenderTables(interactions, read_interactions(test), read_item_features(folder))
