"""Sparse matrix products, which sum over edges without materializing messages."""

import keras
from keras import ops

BACKEND = keras.config.backend()


def uses_order():
    """Returns whether the backend uses a precomputed edge order: PyTorch, and JAX on a CPU."""
    if BACKEND == "jax":
        import jax

        return jax.default_backend() == "cpu"
    return BACKEND == "torch"


def supports_sparse(x, values, order):
    """Returns whether `multiply_sparse` supports these arguments.

    PyTorch needs one constant coefficient per edge: the gradient of a learned one needs the
    messages. JAX needs a known order: sorting would take longer than the messages. Meta tensors,
    which Keras uses to infer shapes, have no sparse product.
    """
    one_number = values is None or len(values.shape) == 1
    is_float = keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype))
    if not (uses_order() and is_float and len(x.shape) == 2 and one_number):
        return False
    if BACKEND == "jax":
        return order is not None
    learned = values is not None and values.requires_grad
    return x.device.type != "meta" and not learned


def multiply_sparse(index, values, shape, x, order=(None, None)):
    """Computes `A x` for the sparse matrix `A` with `values` at `index`; duplicates add up.

    Memory is linear in the number of edges, since messages `(edges, dim)` are not materialized.
    Sums are at least float32: large sums of 16-bit numbers lose whole terms.

    Args:
        index: two int tensors `(edges,)`, rows and columns of `A`.
        values: float tensor `(edges,)`, or `None` for ones.
        shape: pair of ints, the rows and columns of `A`.
        x: float tensor `(columns, dim)`.
        order: two int tensors `(edges,)` that sort the rows and the columns, as returned by
            `order_edges`. On PyTorch either may be `None`.

    Returns:
        Tensor `(rows, dim)` of the dtype of `x`.
    """
    dtype = keras.backend.standardize_dtype(x.dtype)
    wide = x if dtype == "float64" else ops.cast(x, "float32")
    if BACKEND == "torch":
        product = _torch_product(*index, values, *shape, wide, order)
    else:
        product = _jax_product(*index, values, *shape, wide, order)
    return ops.cast(product, dtype)


def _torch_product(rows, columns, values, num_rows, num_columns, x, order):
    def product(x):
        def gradient(*args, upstream=None):
            # PyTorch's own gradient of `embedding_bag` sums in a single thread.
            return _torch_product(
                columns, rows, values, num_columns, num_rows, upstream, order[::-1]
            )

        return _sum_in_bags(rows, columns, values, num_rows, x, order[0]), gradient

    return ops.custom_gradient(product)(x)


def _sum_in_bags(rows, columns, values, num_rows, x, order):
    """Computes the product by `embedding_bag`, several times faster than PyTorch's sparse matrices.

    Each row is a bag that holds its columns.
    """
    import torch

    # Sorting int32 takes half the time; offsets and indices must have the same dtype.
    small = torch.int32 if len(rows) < 2**31 else torch.int64
    rows = rows.to(small)
    if order is None:
        rows, order = torch.sort(rows, stable=True)
    else:
        rows = rows[order]
    bags = torch.arange(int(num_rows) + 1, dtype=small, device=rows.device)
    return torch.nn.functional.embedding_bag(
        columns.to(small)[order],
        x,
        torch.searchsorted(rows, bags).to(small),
        mode="sum",
        per_sample_weights=None if values is None else values.to(x.dtype)[order],
        include_last_offset=True,
    )


def _jax_product(rows, columns, values, num_rows, num_columns, x, order):
    import jax
    import jax.numpy as jnp

    values = jnp.ones(rows.shape, x.dtype) if values is None else values.astype(x.dtype)

    @jax.custom_vjp
    def product(values, x):
        return _compressed_rows(rows, columns, values, num_rows, x, order[0])

    def forward(values, x):
        return product(values, x), (values, x)

    def backward(saved, upstream):
        values, x = saved
        # The compiler removes this gradient if it is not used.
        for_values = jnp.sum(jnp.take(upstream, rows, axis=0) * jnp.take(x, columns, axis=0), -1)
        for_x = _jax_product(columns, rows, values, num_columns, num_rows, upstream, order[::-1])
        return for_values, for_x

    product.defvjp(forward, backward)
    return product(values, x)


def _compressed_rows(rows, columns, values, num_rows, x, order):
    """Computes the product by JAX's BCSR matrices, which have a native kernel on CPUs."""
    import jax.numpy as jnp
    from jax.experimental.sparse import BCSR

    bounds = jnp.searchsorted(rows[order], jnp.arange(num_rows + 1, dtype=rows.dtype))
    parts = (values[order], columns[order].astype("int32"), bounds.astype("int32"))
    return BCSR(parts, shape=(num_rows, x.shape[0])) @ x
