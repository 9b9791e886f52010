"""A recommender's data on disk: who took what, and what is known of the items."""

import dataclasses

from keras_mmfusion.datasets.interactions import Interactions, read_interactions
from keras_mmfusion.datasets.item_features import (
    ITEMS_FILE,
    ItemFeatures,
    read_item_features,
    write_item_features,
)
from keras_mmfusion.datasets.movielens import Movies, read_movielens, read_ratings


@dataclasses.dataclass(frozen=True)
class RecommenderTables:
    """What to train on, what to foretell, and the items: movies to encode, or their features."""

    interactions: Interactions
    test: Interactions
    items: Movies | ItemFeatures


def read_tables(folder, test):
    """Reads a folder, of MovieLens or of arrays, and a table of later interactions.

    Args:
        folder: path.
        test: path of a CSV file with the columns of the folder's own table.

    Returns:
        `RecommenderTables`.

    Raises:
        ValueError: if the folder is of neither kind, or a file is not as described.
    """
    if (folder / "ratings.csv").is_file():
        interactions, movies = read_movielens(folder)
        return RecommenderTables(interactions, read_ratings(test), movies)
    if not (folder / "interactions.csv").is_file():
        raise ValueError(
            f"`--data` must hold MovieLens' ratings.csv and movies.csv; or interactions.csv, with "
            f"the columns user, item and timestamp, {ITEMS_FILE} and a <modality>.npy for each "
            f"modality. Received: {folder}"
        )
    interactions = read_interactions(folder / "interactions.csv")
    return RecommenderTables(interactions, read_interactions(test), read_item_features(folder))


def item_features(tables, needed, folder, progress):
    """The items with their features; movies are encoded, or read from a folder if it has them.

    Args:
        tables: `RecommenderTables`.
        needed: bool. `False` for a model that does not look at features: none are made.
        folder: path or `None`.
        progress: function that passes on batches.

    Returns:
        `ItemFeatures`.

    Raises:
        ValueError: if the folder's features are of other movies.
    """
    if isinstance(tables.items, ItemFeatures):
        return tables.items
    if not needed:
        return ItemFeatures(tables.items.item_ids, {})
    if folder is not None and (folder / ITEMS_FILE).is_file():
        items = read_item_features(folder)
        if items.item_ids.tolist() != tables.items.item_ids.tolist():
            raise ValueError(
                f"`--features` must be of the movies of `--data`. Received: {folder}"
                ", which has others. Give a folder that is not there yet."
            )
        return items
    from keras_mmfusion.models.recommendation import movie_features
    from keras_mmfusion.zoo import embedder, image_encoder

    items = movie_features(tables.items, image_encoder(), embedder(), progress=progress)
    if folder is not None:
        write_item_features(items, folder)
    return items
