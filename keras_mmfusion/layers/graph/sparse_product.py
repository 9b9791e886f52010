"""Sums over edges as a product with a sparse matrix, which makes no message of an edge."""

import keras
from keras import ops


def multiplies_sparse(x, values):
    """Whether `sparse_product` takes these: on PyTorch, one fixed number an edge.

    The gradient of a learned number needs the messages, and tensors without values, by which
    Keras finds out shapes, have no sparse product.
    """
    return (
        keras.config.backend() == "torch"
        and x.device.type != "meta"
        and x.is_floating_point()
        and len(x.shape) == 2
        and (values is None or (len(values.shape) == 1 and not values.requires_grad))
    )


def sparse_product(index, values, shape, x):
    """`A x` of the matrix `A` with `values` at `index`; what stands at one place adds up.

    Memory is linear in the edges, where messages, an edge's times the dim of `x`, are not made.
    Sums are in float32 at least: those of 16-bit numbers lose whole rows once they are large.

    Args:
        index: two int tensors `(edges,)`, rows and columns of `A`.
        values: float tensor `(edges,)`, or `None` for ones.
        shape: rows and columns of `A`.
        x: float tensor `(columns, dim)`.

    Returns:
        Tensor `(rows, dim)`, of `x`'s dtype.
    """
    dtype = keras.backend.standardize_dtype(x.dtype)
    wide = x if dtype == "float64" else x.float()
    return ops.cast(_product(*index, values, *shape, wide), dtype)


def _product(rows, columns, values, num_rows, num_columns, x):
    def product(x):
        def gradient(*args, upstream=None):
            # That of PyTorch adds up in one thread.
            return _product(columns, rows, values, num_columns, num_rows, upstream)

        return _sum_in_bags(rows, columns, values, num_rows, x), gradient

    return ops.custom_gradient(product)(x)


def _sum_in_bags(rows, columns, values, num_rows, x):
    """The product by PyTorch's sum of embeddings, several times as quick as its sparse matrices.

    A row is a bag; its columns are the words in it.
    """
    import torch

    # Sorting takes half of the time in 32 bits, and bags must be numbered as words are.
    small = torch.int32 if len(rows) < 2**31 else torch.int64
    rows, order = torch.sort(rows.to(small), stable=True)
    bags = torch.arange(int(num_rows) + 1, dtype=small, device=rows.device)
    return torch.nn.functional.embedding_bag(
        columns.to(small)[order],
        x,
        torch.searchsorted(rows, bags).to(small),
        mode="sum",
        per_sample_weights=None if values is None else values.to(x.dtype)[order],
        include_last_offset=True,
    )
