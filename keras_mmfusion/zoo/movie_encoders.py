"""Item features of movies, encoded by presets of the zoo and cached in a folder."""

import pathlib

from keras_mmfusion.datasets.recommendation.item_features import (
    ITEMS_FILE,
    ItemFeatures,
    read_item_features,
    write_item_features,
)
from keras_mmfusion.models.runs.image_digest import ImageDigests
from keras_mmfusion.models.runs.run_record import (
    check_record,
    compute_digest,
    describe_code,
    read_record,
    write_record,
)
from keras_mmfusion.zoo.presets import get_fingerprint, resolve_preset

IMAGE_ENCODER, TEXT_MODEL = "efficientnet_lite0_imagenet", "image_text_flickr8k"


def load_item_features(items, folder=None, progress=iter):
    """Returns item features; encodes movies, or reads their features from a cache folder.

    Posters are encoded by `efficientnet_lite0_imagenet`, titles and overviews by the text encoder
    of `image_text_flickr8k`; see `encode_movies`.

    Args:
        items: `Movies`; or `ItemFeatures`, which are returned unchanged.
        folder: string, path or `None`. Cache folder: read if it has features, else written.
        progress: function that wraps the iterable of batches, such as `tqdm.tqdm`.

    Returns:
        `ItemFeatures`.

    Raises:
        ValueError: if the folder has features of other movies, encoders or code.
        DownloadError: if an encoder cannot be fetched.
    """
    if isinstance(items, ItemFeatures):
        return items
    if _is_cached(folder):
        metadata, _ = _describe_movies(items, folder)
        choices = (
            "Use another features folder, delete this one to encode the movies again, or restore "
            "the data that it was made from."
        )
        check_record(folder, metadata, choices, what="features")
        return read_item_features(folder)
    from keras_mmfusion.models.recommendation import encode_movies
    from keras_mmfusion.zoo import embedder, image_encoder

    features = encode_movies(
        items, image_encoder(IMAGE_ENCODER), embedder(TEXT_MODEL), progress=progress
    )
    if folder is not None:
        metadata, image_digests = _describe_movies(items, folder)
        write_record(folder, metadata, image_digests=image_digests)
        write_item_features(features, folder)
    return features


def check_movie_encoders(items, folder=None):
    """Checks, without Keras, that `load_item_features` gets the presets that it needs.

    Args:
        items, folder: see `load_item_features`.

    Raises:
        DownloadError: if a preset cannot be fetched.
    """
    if not isinstance(items, ItemFeatures) and not _is_cached(folder):
        for preset in (IMAGE_ENCODER, TEXT_MODEL):
            resolve_preset(preset)


def _is_cached(folder):
    return folder is not None and pathlib.Path(folder, ITEMS_FILE).is_file()


def _describe_movies(movies, folder):
    """Returns metadata of the data, encoders and code of features, and digests of the posters."""
    digests = ImageDigests(read_record(folder).get("image_digests"))
    texts = {"titles": movies.titles, "overviews": movies.overviews}
    metadata = {
        **describe_code("recommendation", "retrieval"),
        "image encoder": f"{IMAGE_ENCODER}, {get_fingerprint(IMAGE_ENCODER)[:12]}",
        "text encoder": f"{TEXT_MODEL}, {get_fingerprint(TEXT_MODEL)[:12]}",
        "movies": f"{len(movies.item_ids)} ({compute_digest(movies.item_ids.tolist())})",
        "posters": digests.compute(movies.posters),
        "genres": compute_digest([sorted(names) for names in movies.genres]),
        "years": compute_digest(list(movies.years)),
        **{name: compute_digest(list(values)) for name, values in texts.items()},
    }
    return metadata, digests.cache
