"""Features of movies, computed by frozen encoders from posters and texts."""

import numpy as np
from keras import ops

from keras_mmfusion.datasets.images.read_image import read_image, resize_image
from keras_mmfusion.datasets.recommendation.item_features import ItemFeatures
from keras_mmfusion.layers.masks import average_tokens
from keras_mmfusion.models.compiled_function import compile_function
from keras_mmfusion.models.retrieval.retrieval_preprocessor import RetrievalPreprocessor

# Centers and width of the Gaussian basis functions that encode a year.
_CENTERS = np.arange(1900, 2031, 6)
_WIDTH = 6.0
# Maximum number of word pieces of a text. Padded lengths are multiples of 16, so that few functions
# are compiled.
_MAX_LENGTH, _LENGTH_STEP = 128, 16


def encode_movies(movies, image_encoder, text_model, batch_size=32, progress=iter):
    """Encodes movies in five modalities, any of which may be missing.

    | modality | features |
    |---|---|
    | `"poster"` | mean token of the image encoder |
    | `"title"`, `"overview"` | mean token of the text encoder, for up to 128 word pieces |
    | `"genres"` | 1 for each genre of the movie |
    | `"year"` | `exp(-((year - c) / 6)²)` for centers `c` six years apart |

    Args:
        movies: `Movies`.
        image_encoder: `ImageEncoder`, such as `zoo.image_encoder()`.
        text_model: `ContrastiveModel` with a text encoder and its preprocessor, such as
            `zoo.embedder()`. The projector is not used.
        batch_size: int.
        progress: function that wraps the iterable of batches, such as `tqdm.tqdm`.

    Returns:
        `ItemFeatures`.
    """
    texts = {"title": movies.titles, "overview": movies.overviews}
    return ItemFeatures(
        movies.item_ids,
        {
            "poster": _encode_posters(movies.posters, image_encoder, batch_size, progress),
            **{
                name: _encode_texts(strings, text_model, batch_size, progress)
                for name, strings in texts.items()
            },
            "genres": _encode_genres(movies.genres),
            "year": _encode_years(movies.years),
        },
    )


def _encode_posters(paths, encoder, batch_size, progress):
    def vectors(images):
        return ops.mean(encoder(images), axis=1)

    function = compile_function(encoder, vectors)
    rows = np.array([row for row, path in enumerate(paths) if path is not None], "int64")
    features = _missing_features(len(paths), encoder.token_dim)
    for batch in progress(_split_rows(rows, batch_size)):
        images = [resize_image(read_image(paths[row]), encoder.image_size) for row in batch]
        images = (np.stack(images).astype("float32") - 127) / 128
        features[batch] = ops.convert_to_numpy(function(images))
    return features


def _encode_texts(texts, model, batch_size, progress):
    encoder = model.encoders["text"]
    max_length = min(_MAX_LENGTH, encoder.sizes["max_sequence_length"])
    prepare = RetrievalPreprocessor(
        model.preprocessor.tokenizer, model.preprocessor.image_converter, max_length
    )

    def vectors(token_ids, padding_mask):
        tokens = encoder({"token_ids": token_ids, "padding_mask": padding_mask})
        return average_tokens(tokens, ops.cast(padding_mask, "bool"))

    function = compile_function(encoder, vectors)
    rows = np.array([row for row, text in enumerate(texts) if text], "int64")
    # Batches of texts of similar length need little padding.
    rows = rows[np.argsort([len(texts[row]) for row in rows], kind="stable")]
    features = _missing_features(len(texts), encoder.token_dim)
    for batch in progress(_split_rows(rows, batch_size)):
        prepared = prepare({"text": [texts[row] for row in batch]})["text"]
        ids, mask = (np.asarray(prepared[key]) for key in ("token_ids", "padding_mask"))
        length = -(-int(mask.sum(axis=1).max()) // _LENGTH_STEP) * _LENGTH_STEP
        features[batch] = ops.convert_to_numpy(function(ids[:, :length], mask[:, :length]))
    return features


def _encode_genres(genres):
    names = sorted({name for names in genres for name in names})
    features = _missing_features(len(genres), max(1, len(names)))
    for row, movie_genres in enumerate(genres):
        if movie_genres:
            features[row] = [name in movie_genres for name in names]
    return features


def _encode_years(years):
    features = _missing_features(len(years), len(_CENTERS))
    for row, year in enumerate(years):
        if year is not None:
            features[row] = np.exp(-(((year - _CENTERS) / _WIDTH) ** 2))
    return features


def _missing_features(rows, dim):
    return np.full((rows, dim), np.nan, "float32")


def _split_rows(rows, size):
    return [rows[start : start + size] for start in range(0, len(rows), size)]
