"""Scores pairs of raw images and texts by the match logits of a `BlipMatcher`."""

import keras
import numpy as np

from keras_mmfusion._checks import check_integer
from keras_mmfusion.datasets.images.read_image import read_image
from keras_mmfusion.datasets.images.read_images import read_images
from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.datasets.io.check_texts import check_texts
from keras_mmfusion.models.captioning.decoding.caption_generator import pad_batch
from keras_mmfusion.models.compiled_function import compile_function


def match_pairs(model, images, texts, batch_size=32):
    """Implements `BlipMatcher.match`."""
    images = _to_list(model, images)
    texts = [texts] if isinstance(texts, str | bytes) else list(texts)
    count = max(len(images), len(texts))
    if not images or not texts or {len(images), len(texts)} - {1, count}:
        raise ValueError(
            "`images` and `texts` must have the same length, or one of them must be a single one. "
            f"Received: {len(images)} images and {len(texts)} texts"
        )
    pairs = [
        np.arange(count) if len(each) > 1 else np.zeros(count, int) for each in (images, texts)
    ]
    logits = compute_pair_logits(model, images, texts, np.stack(pairs, axis=1), batch_size)
    return 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))


def rerank_candidates(model, queries, candidates, indices, cosines, batch_size=32):
    """Implements `BlipMatcher.rerank`."""
    data = {}
    for argument, value in (("queries", queries), ("candidates", candidates)):
        if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= {"image", "text"}:
            raise ValueError(
                f"`{argument}` must be a dict of 'image' or 'text' with raw data, such as "
                f"{{'text': ['a dog']}}. Received: {value!r:.200}"
            )
        [(modality, inputs)] = value.items()
        data[modality] = _to_list(model, inputs) if modality == "image" else [inputs]
        if modality == "text" and not isinstance(inputs, str | bytes):
            data[modality] = list(inputs)
    if len(data) < 2:
        raise ValueError("`queries` and `candidates` must be of different modalities.")
    indices, cosines = np.asarray(indices), np.asarray(cosines, "float32")
    rows = np.repeat(np.arange(len(indices)), indices.shape[1])
    pairs = [rows, indices.ravel()] if "image" in queries else [indices.ravel(), rows]
    pairs = np.stack(pairs, axis=1)
    logits = compute_pair_logits(model, data["image"], data["text"], pairs, batch_size)
    scores = logits[:, 1].reshape(indices.shape) + cosines
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(indices, order, 1), np.take_along_axis(scores, order, 1)


def compute_pair_logits(model, images, texts, pairs, batch_size=32, progress=iter):
    """Computes the match logits of pairs; each image is read and encoded once.

    Args:
        model: `BlipMatcher` with a preprocessor.
        images: list of images, see `read_image`.
        texts: list of strings.
        pairs: int array `(pairs, 2)`, the indices of the image and the text of each pair.
        batch_size: int. Number of images or pairs that are computed at once.
        progress: function that wraps the iterable of the indices of the images.

    Returns:
        float32 array `(pairs, 2)`: the logits of no match and of a match.

    Raises:
        ValueError: if an image cannot be read or a text is not a string.
    """
    check_integer(None, "batch_size", batch_size)
    if model.preprocessor is None:
        raise ValueError("Raw images and texts require a model with a `preprocessor`.")
    check_texts(texts, "texts")
    text = model.preprocessor({"text": texts})["text"]
    text = {name: keras.ops.convert_to_numpy(x) for name, x in text.items()}
    encode, match = _get_functions(model)
    logits = np.zeros((len(pairs), 2), "float32")
    chunk = []
    used = np.unique(pairs[:, 0])
    for index in progress(used.tolist()):
        chunk.append(index)
        if len(chunk) < batch_size and index != used[-1]:
            continue
        tokens = encode(pad_batch(np.concatenate([_prepare(model, images, i) for i in chunk])))
        selected = np.flatnonzero(np.isin(pairs[:, 0], chunk))
        for start in range(0, len(selected), batch_size):
            batch = selected[start : start + batch_size]
            rows = np.searchsorted(chunk, pairs[batch, 0]).astype("int32")
            ids, mask = (text[name][pairs[batch, 1]] for name in ("token_ids", "padding_mask"))
            results = match(tokens, *map(pad_batch, (rows, ids, mask)))
            logits[batch] = keras.ops.convert_to_numpy(results)[: len(batch)]
        chunk = []
    return logits


def _get_functions(model):
    """Returns the compiled functions that encode images, and that match tokens with texts."""
    functions = model.embedding_functions

    def match(tokens, rows, token_ids, padding_mask):
        text = {"token_ids": token_ids, "padding_mask": padding_mask}
        logits = model.compute_match_logits(keras.ops.take(tokens, rows, axis=0), text)
        return keras.ops.cast(logits, "float32")

    if "match" not in functions:
        functions["encode"] = compile_function(model, lambda images: model.image_encoder(images))
        functions["match"] = compile_function(model, match)
    return functions["encode"], functions["match"]


def _prepare(model, images, index):
    try:
        image = read_image(images[index], drop_alpha=drops_alpha(model.preprocessor))
    except (TypeError, ValueError) as error:
        raise type(error)(f"`images[{index}]`: {error}") from error
    prepared = model.preprocessor({"image": image[None]})["image"]
    return keras.ops.convert_to_numpy(prepared)


def _to_list(model, images):
    """Returns a list of images that are not yet read, if they are given as a list or an array."""
    if isinstance(images, list | tuple):
        return list(images)
    images, _ = read_images(images, drop_alpha=drops_alpha(model.preprocessor))
    return list(images)
