"""A check that an optimizer can train weights in bfloat16."""

import keras
import ml_dtypes


def check_bfloat16_training(model):
    """Checks that the optimizer of a compiled model changes its weights if they are bfloat16.

    Adam and its variants compute `1 - beta_2` in the dtype of the weights. In bfloat16, 0.999 is
    rounded to 1: Adam, AdamW and Lamb then change no weight, and Nadam divides by zero.

    Args:
        model: `keras.Model`.

    Raises:
        ValueError: if the optimizer is one of these, and a trainable weight is bfloat16.
    """
    optimizer = getattr(model, "optimizer", None)
    variants = keras.optimizers.Adam, keras.optimizers.Nadam, keras.optimizers.Lamb
    if not isinstance(optimizer, variants) or ml_dtypes.bfloat16(optimizer.beta_2) < 1:
        return
    dtypes = {keras.backend.standardize_dtype(each.dtype) for each in model.trainable_variables}
    if "bfloat16" in dtypes:
        raise ValueError(
            f"{type(optimizer).__name__} with beta_2={optimizer.beta_2} cannot train weights in "
            "bfloat16, where `beta_2` is rounded to 1. Load the model with "
            "`dtype='mixed_bfloat16'`, which keeps its weights in float32."
        )
