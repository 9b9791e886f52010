"""Movies to arrays of features: what frozen encoders make of posters and texts."""

import numpy as np
from keras import ops

from keras_mmfusion.datasets.images.read_image import read_image, resize_image
from keras_mmfusion.datasets.recommendation.item_features import ItemFeatures
from keras_mmfusion.layers.masks import masked_mean
from keras_mmfusion.models.compiled_function import compiled_function
from keras_mmfusion.models.retrieval.retrieval_preprocessor import RetrievalPreprocessor

# Years of the bumps that stand for a year, and their width.
_BUMPS = np.arange(1900, 2031, 6)
_WIDTH = 6.0
# Word pieces of a text; padded lengths are multiples of the step, so that few functions compile.
_LONGEST, _STEP = 128, 16


def movie_features(movies, image_encoder, text_model, batch_size=32, progress=iter):
    """Features of movies in five modalities, any of which a movie may lack.

    | modality | what it is |
    |---|---|
    | `"poster"` | mean token of the image encoder |
    | `"title"`, `"overview"` | mean token of the text encoder, of up to 128 word pieces |
    | `"genres"` | 1 for each genre that the movie has |
    | `"year"` | `exp(-((year - c) / 6)²)` of centers `c` six years apart |

    Args:
        movies: `Movies`.
        image_encoder: `ImageEncoder`, such as `zoo.image_encoder()`.
        text_model: `ContrastiveModel` with a text encoder and its preprocessor, such as
            `zoo.embedder()`; its projector is not used.
        batch_size: int.
        progress: function that passes on the batches, such as `tqdm.tqdm`.

    Returns:
        `ItemFeatures`.
    """
    texts = {"title": movies.titles, "overview": movies.overviews}
    return ItemFeatures(
        movies.item_ids,
        {
            "poster": _posters(movies.posters, image_encoder, batch_size, progress),
            **{
                name: _texts(strings, text_model, batch_size, progress)
                for name, strings in texts.items()
            },
            "genres": _genres(movies.genres),
            "year": _years(movies.years),
        },
    )


def _posters(paths, encoder, batch_size, progress):
    def vectors(images):
        return ops.mean(encoder(images), axis=1)

    function = compiled_function(encoder, vectors)
    rows = np.array([row for row, path in enumerate(paths) if path is not None], "int64")
    found = _absent(len(paths), encoder.token_dim)
    for batch in progress(_slices(rows, batch_size)):
        images = [resize_image(read_image(paths[row]), encoder.image_size) for row in batch]
        images = (np.stack(images).astype("float32") - 127) / 128
        found[batch] = ops.convert_to_numpy(function(images))
    return found


def _texts(texts, model, batch_size, progress):
    encoder = model.encoders["text"]
    longest = min(_LONGEST, encoder.sizes["max_sequence_length"])
    prepare = RetrievalPreprocessor(
        model.preprocessor.tokenizer, model.preprocessor.image_converter, longest
    )

    def vectors(token_ids, padding_mask):
        tokens = encoder({"token_ids": token_ids, "padding_mask": padding_mask})
        return masked_mean(tokens, ops.cast(padding_mask, "bool"))

    function = compiled_function(encoder, vectors)
    rows = np.array([row for row, text in enumerate(texts) if text], "int64")
    # Texts of like length together waste little on padding.
    rows = rows[np.argsort([len(texts[row]) for row in rows], kind="stable")]
    found = _absent(len(texts), encoder.token_dim)
    for batch in progress(_slices(rows, batch_size)):
        prepared = prepare({"text": [texts[row] for row in batch]})["text"]
        ids, mask = (np.asarray(prepared[key]) for key in ("token_ids", "padding_mask"))
        length = -(-int(mask.sum(axis=1).max()) // _STEP) * _STEP
        found[batch] = ops.convert_to_numpy(function(ids[:, :length], mask[:, :length]))
    return found


def _genres(genres):
    names = sorted({name for names in genres for name in names})
    found = _absent(len(genres), max(1, len(names)))
    for row, of_movie in enumerate(genres):
        if of_movie:
            found[row] = [name in of_movie for name in names]
    return found


def _years(years):
    found = _absent(len(years), len(_BUMPS))
    for row, year in enumerate(years):
        if year is not None:
            found[row] = np.exp(-(((year - _BUMPS) / _WIDTH) ** 2))
    return found


def _absent(rows, dim):
    return np.full((rows, dim), np.nan, "float32")


def _slices(rows, size):
    return [rows[start : start + size] for start in range(0, len(rows), size)]
