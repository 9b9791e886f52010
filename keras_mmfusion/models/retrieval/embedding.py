"""Embeds raw data batch by batch, and finds nearest neighbors in the shared space."""

import itertools

import keras
import numpy as np

from keras_mmfusion._checks import check_choice, check_integer
from keras_mmfusion.datasets.images.read_images import read_images
from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.datasets.io.check_texts import check_texts
from keras_mmfusion.models.compiled_function import compile_function


def embed_batches(model, modality, inputs, batch_size=32):
    """Implements `ContrastiveModel.embed`."""
    check_choice(None, "modality", modality, model.modalities)
    check_integer(None, "batch_size", batch_size)
    vectors = []
    for batch in prepare_batches(model, modality, inputs, batch_size):
        model.check_nan({modality: batch})
        vectors.append(normalize_vectors(_embed(model, modality, batch)))
    if not vectors:
        raise ValueError(f"`inputs` must not be empty. Received: {inputs!r}")
    return np.concatenate(vectors)


def find_nearest(model, queries, candidates, k=5, batch_size=32):
    """Implements `ContrastiveModel.retrieve`."""
    check_integer(None, "k", k)
    query_vectors = _get_vectors(model, "queries", queries, batch_size)
    candidate_vectors = _get_vectors(model, "candidates", candidates, batch_size)
    scores = query_vectors @ candidate_vectors.T
    indices = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return indices, np.take_along_axis(scores, indices, axis=1)


def _get_vectors(model, argument, value, batch_size):
    if isinstance(value, dict) and len(value) == 1:
        [(modality, inputs)] = value.items()
        return embed_batches(model, modality, inputs, batch_size)
    if getattr(value, "ndim", None) == 2:
        return normalize_vectors(value)
    raise ValueError(
        f"`{argument}` must be a dict of one modality, such as {{'text': ['a dog']}}, or an array "
        f"(rows, dim) returned by `embed`. Received: {value!r}"
    )


def prepare_batches(model, modality, inputs, batch_size):
    """Yields batches of inputs of the modality's encoder."""
    if model.preprocessor is None:
        leaves = keras.tree.flatten(inputs)
        for start in range(0, len(leaves[0]), batch_size):
            stop = start + batch_size
            yield keras.tree.map_structure(lambda x: x[start:stop], inputs)  # noqa: B023
        return
    if modality == "image":
        remaining, _ = read_images(inputs, "inputs", drops_alpha(model.preprocessor))
    else:
        remaining = iter([inputs] if isinstance(inputs, str | bytes) else inputs)
    for start in itertools.count(step=batch_size):
        chunk = list(itertools.islice(remaining, batch_size))
        if not chunk:
            return
        if modality == "image":
            # One by one, as their sizes may differ.
            yield np.concatenate([_preprocess(model, modality, each[None]) for each in chunk])
            continue
        if modality == "text":
            for index, text in enumerate(chunk, start):
                check_texts(text, f"inputs[{index}]")
        yield _preprocess(model, modality, chunk)


def _preprocess(model, modality, batch):
    prepared = model.preprocessor({modality: batch})[modality]
    return keras.tree.map_structure(keras.ops.convert_to_numpy, prepared)


def _embed(model, modality, batch):
    """Embeds a preprocessed batch by a function that is compiled once for each modality."""
    leaves = keras.tree.flatten(batch)
    functions = model.embedding_functions
    if modality not in functions:

        def function(*tensors):
            inputs = keras.tree.pack_sequence_as(batch, tensors)
            return model.compute_embeddings({modality: inputs})[modality]

        if not model.built:
            function(*(keras.ops.convert_to_tensor(leaf) for leaf in leaves))
        functions[modality] = compile_function(model, function)
    return functions[modality](*leaves)


def normalize_vectors(vectors):
    """Returns rows scaled to unit length, as a float32 NumPy array; zeros stay zeros."""
    vectors = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(vectors, "float32")))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo("float32").tiny)
