import keras
from keras import ops


def apply_to_rows(layer, x):
    """`layer` of every token of `x` `(batch, tokens, dim)`, laid out as one matrix of rows.

    TensorFlow multiplies a matrix in one op, a tensor of more dims in a dozen, mostly small ones
    that find out its shape: in decoding, where tokens come one at a time, they took most of it.
    The other backends do so themselves.

    Args:
        layer: function of the last dim alone, such as a `Dense` layer.
        x: tensor `(batch, tokens, dim)`.

    Returns:
        Tensor `(batch, tokens, new_dim)`.
    """
    if keras.config.backend() != "tensorflow":
        return layer(x)
    # With `-1` for the one dim that is not known statically.
    shape = (-1, x.shape[1]) if x.shape[1] is not None else (ops.shape(x)[0], -1)
    rows = layer(ops.reshape(x, (-1, x.shape[-1])))
    return ops.reshape(rows, (*shape, rows.shape[-1]))
