import keras
from keras import ops


def apply_to_rows(layer, x):
    """Applies `layer` to the tokens of `x` as rows of one matrix.

    TensorFlow multiplies a matrix in one op, but a tensor of higher rank in a dozen, which take
    most of the time when tokens are decoded one at a time. Other backends flatten by themselves.

    Args:
        layer: function of the last dim, such as a `Dense` layer.
        x: tensor `(batch, tokens, dim)`.

    Returns:
        Tensor `(batch, tokens, new_dim)`.
    """
    if keras.config.backend() != "tensorflow":
        return layer(x)
    # -1 replaces the dim that is not known statically.
    shape = (-1, x.shape[1]) if x.shape[1] is not None else (ops.shape(x)[0], -1)
    rows = layer(ops.reshape(x, (-1, x.shape[-1])))
    return ops.reshape(rows, (*shape, rows.shape[-1]))
