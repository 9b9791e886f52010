"""A recommender's data on disk: who took what, and what is known of the items."""

import dataclasses

from keras_mmfusion.datasets.recommendation.interactions import Interactions, read_interactions
from keras_mmfusion.datasets.recommendation.item_features import (
    ITEMS_FILE,
    ItemFeatures,
    read_item_features,
    write_item_features,
)
from keras_mmfusion.datasets.recommendation.movielens import Movies, read_movielens, read_ratings
from keras_mmfusion.models.runs.image_digest import ImageDigests
from keras_mmfusion.models.runs.run_record import (
    check_record,
    code_facts,
    digest_of,
    read_record,
    write_record,
)
from keras_mmfusion.zoo.presets import preset_fingerprint, resolve_preset

# The presets that encode movies.
IMAGE_ENCODER, TEXT_MODEL = "efficientnet_lite0_imagenet", "image_text_flickr8k"


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
        ValueError: if the folder's features are of other movies, encoders or code.
    """
    if isinstance(tables.items, ItemFeatures):
        return tables.items
    if not needed:
        return ItemFeatures(tables.items.item_ids, {})
    if folder is not None and (folder / ITEMS_FILE).is_file():
        facts, _ = _movie_facts(tables.items, folder)
        choices = (
            "Give another `--features`; or delete this one, to encode the movies again; or go back "
            "to what they were made from."
        )
        check_record(folder, facts, choices, what="features")
        return read_item_features(folder)
    from keras_mmfusion.models.recommendation import movie_features
    from keras_mmfusion.zoo import embedder, image_encoder

    items = movie_features(
        tables.items, image_encoder(IMAGE_ENCODER), embedder(TEXT_MODEL), progress=progress
    )
    if folder is not None:
        facts, known = _movie_facts(tables.items, folder)
        write_record(folder, facts, known_images=known)
        write_item_features(items, folder)
    return items


def check_encoders(tables, needed, folder):
    """Raises an error if features have to be made and a preset for that cannot be had.

    Args:
        tables, needed, folder: as for `item_features`.
    """
    made = folder is not None and (folder / ITEMS_FILE).is_file()
    if needed and not made and not isinstance(tables.items, ItemFeatures):
        for preset in (IMAGE_ENCODER, TEXT_MODEL):
            resolve_preset(preset)


def _movie_facts(movies, folder):
    """What the features are made from, and the digests of the posters that are known by then."""
    digests = ImageDigests(read_record(folder).get("known_images"))
    texts = {"titles": movies.titles, "overviews": movies.overviews}
    facts = {
        **code_facts("recommendation", "retrieval"),
        "image encoder": f"{IMAGE_ENCODER}, {preset_fingerprint(IMAGE_ENCODER)[:12]}",
        "text encoder": f"{TEXT_MODEL}, {preset_fingerprint(TEXT_MODEL)[:12]}",
        "movies": f"{len(movies.item_ids)} ({digest_of(movies.item_ids.tolist())})",
        "posters": digests.of(movies.posters),
        "genres": digest_of([sorted(names) for names in movies.genres]),
        "years": digest_of(list(movies.years)),
        **{name: digest_of(list(values)) for name, values in texts.items()},
    }
    return facts, digests.known
