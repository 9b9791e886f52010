"""Sums over edges as a product with a sparse matrix, which makes no message of an edge."""

import keras
from keras import ops

BACKEND = keras.config.backend()


def uses_order():
    """Whether sums over edges make use of a known order: on PyTorch, and on JAX's CPU."""
    if BACKEND == "jax":
        import jax

        return jax.default_backend() == "cpu"
    return BACKEND == "torch"


def multiplies_sparse(x, values, order):
    """Whether `sparse_product` takes these.

    On PyTorch those with one fixed number an edge: the gradient of a learned number needs the
    messages. On JAX those whose order is known: sorting there would take longer than the messages.
    Tensors without values, by which Keras finds out shapes, have no sparse product.
    """
    one_number = values is None or len(values.shape) == 1
    is_float = keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype))
    if not (uses_order() and is_float and len(x.shape) == 2 and one_number):
        return False
    if BACKEND == "jax":
        return order is not None
    learned = values is not None and values.requires_grad
    return x.device.type != "meta" and not learned


def sparse_product(index, values, shape, x, order=(None, None)):
    """`A x` of the matrix `A` with `values` at `index`; what stands at one place adds up.

    Memory is linear in the edges, where messages, an edge's times the dim of `x`, are not made.
    Sums are in float32 at least: those of 16-bit numbers lose whole rows once they are large.

    Args:
        index: two int tensors `(edges,)`, rows and columns of `A`.
        values: float tensor `(edges,)`, or `None` for ones.
        shape: rows and columns of `A`.
        x: float tensor `(columns, dim)`.
        order: two int tensors `(edges,)`, which sort the rows and the columns, as `order_edges`
            gives them. On PyTorch, `None` for what is not known.

    Returns:
        Tensor `(rows, dim)`, of `x`'s dtype.
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
            # That of PyTorch adds up in one thread.
            return _torch_product(
                columns, rows, values, num_columns, num_rows, upstream, order[::-1]
            )

        return _sum_in_bags(rows, columns, values, num_rows, x, order[0]), gradient

    return ops.custom_gradient(product)(x)


def _sum_in_bags(rows, columns, values, num_rows, x, order):
    """The product by PyTorch's sum of embeddings, several times as quick as its sparse matrices.

    A row is a bag; its columns are the words in it.
    """
    import torch

    # Sorting takes half of the time in 32 bits, and bags must be numbered as words are.
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
        # Where nothing learns the values, the compiler leaves their gradient out.
        for_values = jnp.sum(jnp.take(upstream, rows, axis=0) * jnp.take(x, columns, axis=0), -1)
        for_x = _jax_product(columns, rows, values, num_columns, num_rows, upstream, order[::-1])
        return for_values, for_x

    product.defvjp(forward, backward)
    return product(values, x)


def _compressed_rows(rows, columns, values, num_rows, x, order):
    """The product by JAX's matrices of compressed sparse rows, whose kernel is native on CPUs."""
    import jax.numpy as jnp
    from jax.experimental.sparse import BCSR

    bounds = jnp.searchsorted(rows[order], jnp.arange(num_rows + 1, dtype=rows.dtype))
    parts = (values[order], columns[order].astype("int32"), bounds.astype("int32"))
    return BCSR(parts, shape=(num_rows, x.shape[0])) @ x
