"""Checks of the dtypes that captioners can be loaded in."""

import keras
import numpy as np

from keras_mmfusion.checkpoints import load_checkpoint

# Argument of `load_checkpoint` -> dtype of most weights.
DTYPES = {"bfloat16": "bfloat16", "mixed_bfloat16": "float32", "int8": "int8"}


def check_load_dtypes(folder, images, ids, tolerance=0.99):
    """Checks the weights and logits of a captioner that is loaded in other dtypes.

    Args:
        folder: path of the checkpoint.
        images: list of raw images.
        ids: int array `(images, tokens)`, captions.
        tolerance: float. Lower bound of the correlation with the logits in float32.
    """
    exact = _compute_logits(load_checkpoint(folder), images, ids)
    for dtype, weight_dtype in DTYPES.items():
        model = load_checkpoint(folder, dtype=dtype)
        dtypes = [keras.backend.standardize_dtype(x.dtype) for x in model.trainable_weights]
        dtypes += [keras.backend.standardize_dtype(x.dtype) for x in model.non_trainable_weights]
        assert weight_dtype in dtypes, dtype
        assert dtype != "bfloat16" or "float32" not in dtypes
        correlation = np.corrcoef(_compute_logits(model, images, ids).ravel(), exact.ravel())[0, 1]
        assert correlation > tolerance, (dtype, correlation)
        if dtype == "bfloat16":  # Compiling the search takes longer than the other checks.
            assert len(model.generate(images, beams=1, max_length=2)) == len(images)


def _compute_logits(model, images, ids):
    converter = model.preprocessor.image_converter
    pixels = np.stack([keras.ops.convert_to_numpy(converter(image)) for image in images])
    return keras.ops.convert_to_numpy(keras.ops.cast(model(pixels, ids), "float32"))
