import keras
from keras import ops


def apply_to_rows(layer, x):
    """Applies a layer to the last axis of `x`, as a matrix of rows.

    TensorFlow multiplies a matrix in one op, and a tensor of higher rank in a dozen ops that
    compute shapes. These took most of the time of decoding, where tokens come one at a time. The
    other backends flatten tensors themselves.

    Args:
        layer: function of the last axis alone, such as a `Dense` layer.
        x: tensor `(batch, tokens, dim)`, or `(rows, dim)`.

    Returns:
        Tensor of the shape of `x`, with a new last dim.
    """
    if len(x.shape) == 2 or keras.config.backend() != "tensorflow":
        return layer(x)
    # -1 for the batch, which is usually dynamic; but it is ambiguous without tokens.
    shape = (-1, x.shape[1]) if x.shape[1] else ops.shape(x)[:2]
    rows = layer(ops.reshape(x, (-1, x.shape[-1])))
    return ops.reshape(rows, (*shape, rows.shape[-1]))
