"""Raw data to vectors of a shared space, batch by batch, and the nearest of them."""

import itertools

import keras
import numpy as np

from keras_mmfusion.datasets.images.read_images import read_images
from keras_mmfusion.datasets.io.check_texts import check_texts
from keras_mmfusion.models.compiled_function import compiled_function


def embed_batches(model, modality, inputs, batch_size=32):
    """The work of `ContrastiveModel.embed`; see there."""
    if modality not in model.modalities:
        raise ValueError(
            f"`modality` must be one of {', '.join(map(repr, model.modalities))}. "
            f"Received: {modality!r}"
        )
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"`batch_size` must be an integer >= 1. Received: {batch_size!r}")
    prepared = _prepared(model, modality, inputs, batch_size)
    found = []
    for batch in prepared:
        model.check_known({modality: batch})
        found.append(_unit_vectors(_embed(model, modality, batch)))
    if not found:
        raise ValueError(f"`inputs` must have something to embed. Received: {inputs!r}")
    return np.concatenate(found)


def nearest(model, queries, candidates, k=5, batch_size=32):
    """The work of `ContrastiveModel.retrieve`; see there."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ValueError(f"`k` must be a positive integer. Received: {k!r}")
    vectors = [
        _vectors(model, name, given, batch_size)
        for name, given in {"queries": queries, "candidates": candidates}.items()
    ]
    scores = vectors[0] @ vectors[1].T
    places = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return places, np.take_along_axis(scores, places, axis=1)


def _vectors(model, argument, given, batch_size):
    if isinstance(given, dict) and len(given) == 1:
        [(modality, inputs)] = given.items()
        return embed_batches(model, modality, inputs, batch_size)
    if getattr(given, "ndim", None) == 2:
        return _unit_vectors(given)
    raise ValueError(
        f"`{argument}` must be a dict of one modality, such as {{'text': ['a dog']}}, or an array "
        f"(number, dim) of what `embed` gave. Received: {given!r}"
    )


def _prepared(model, modality, inputs, batch_size):
    """Yields batches of what the modality's encoder takes."""
    if model.preprocessor is None:
        leaves = keras.tree.flatten(inputs)
        for start in range(0, len(leaves[0]), batch_size):
            stop = start + batch_size
            yield keras.tree.map_structure(lambda x: x[start:stop], inputs)  # noqa: B023
        return
    if modality == "image":
        remaining, _ = read_images(inputs, "inputs")
    else:
        remaining = iter([inputs] if isinstance(inputs, str | bytes) else inputs)
    for start in itertools.count(step=batch_size):
        chunk = list(itertools.islice(remaining, batch_size))
        if not chunk:
            return
        if modality == "image":
            # One at a time: they may be of different sizes.
            yield np.concatenate([_preprocess(model, modality, each[None]) for each in chunk])
            continue
        if modality == "text":
            for number, text in enumerate(chunk, start):
                check_texts(text, f"inputs[{number}]")
        yield _preprocess(model, modality, chunk)


def _preprocess(model, modality, batch):
    prepared = model.preprocessor({modality: batch})[modality]
    return keras.tree.map_structure(keras.ops.convert_to_numpy, prepared)


def _embed(model, modality, batch):
    """The model's embeddings of a prepared batch, by a function that is compiled once."""
    leaves = keras.tree.flatten(batch)
    functions = model.embedding_functions
    if modality not in functions:

        def function(*tensors):
            inputs = keras.tree.pack_sequence_as(batch, tensors)
            return model.embeddings({modality: inputs})[modality]

        if not model.built:
            function(*(keras.ops.convert_to_tensor(leaf) for leaf in leaves))
        functions[modality] = compiled_function(model, function)
    return functions[modality](*leaves)


def _unit_vectors(vectors):
    vectors = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(vectors, "float32")))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo("float32").tiny)
