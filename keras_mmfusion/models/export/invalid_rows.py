"""Blank outputs of rows whose image files are invalid."""

import numpy as np

from keras_mmfusion.datasets.images.decoding.decode_image_tensor import OK


def blank_invalid_rows(results, error_codes, pad_token_id=0):
    """Replaces the outputs of invalid files, and adds the output `error_codes`.

    Args:
        results: dict of tensors `(batch, ...)`.
        error_codes: int32 tensor `(batch,)`, from `decode_image_tensors`.
        pad_token_id: int. The `token_ids` of invalid rows; other outputs are empty strings or
            zeros.

    Returns:
        A dict of tensors.
    """
    import tensorflow as tf

    blanked = {}
    for name, value in results.items():
        is_valid = tf.reshape(error_codes == OK, (-1, *[1] * (len(value.shape) - 1)))
        if value.dtype == "string":
            blank = ""
        else:
            number = pad_token_id if name == "token_ids" else 0
            blank = np.array(number, value.dtype.as_numpy_dtype)
        blanked[name] = tf.where(is_valid, value, blank)
    return {**blanked, "error_codes": error_codes}
