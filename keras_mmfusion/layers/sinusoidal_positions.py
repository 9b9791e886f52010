import numpy as np
from keras import ops


def add_positions(tokens):
    """Adds sinusoidal position embeddings: sines in even dims, cosines in odd ones.

    ```
    P[t, 2i] = sin(t / 10000^(2i / dim)),   P[t, 2i + 1] = cos(t / 10000^(2i / dim))
    ```

    Args:
        tokens: float tensor `(batch, tokens, dim)`.

    Returns:
        Tensor of the same shape and dtype.

    Reference:
        Vaswani et al., "Attention Is All You Need", 2017, section 3.5.
    """
    count, dim = ops.shape(tokens)[1], tokens.shape[-1]
    even = np.arange(dim) // 2 * 2
    rates = (10000.0 ** (-even / dim)).astype("float32")
    # cos(x) = sin(x + π/2). Long sequences need angles in float32.
    phases = np.where(np.arange(dim) % 2, np.pi / 2, 0).astype("float32")
    positions = ops.expand_dims(ops.cast(ops.arange(count), "float32"), 1)
    angles = ops.add(ops.multiply(positions, rates), phases)
    return tokens + ops.cast(ops.sin(angles), tokens.dtype)
