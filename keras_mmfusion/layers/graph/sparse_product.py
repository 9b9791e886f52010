"""Sums over edges as a product with a sparse matrix, which makes no message of an edge."""

import keras


def multiplies_sparse(x, values):
    """Whether `sparse_product` takes these: on PyTorch, float32 and one fixed number an edge.

    The gradient of a learned number would be cut out of a dense matrix `(targets, sources)`, and
    tensors without values, by which Keras finds out shapes, have no sparse product.
    """
    return (
        keras.config.backend() == "torch"
        and x.device.type != "meta"
        and keras.backend.standardize_dtype(x.dtype) == "float32"
        and len(x.shape) == 2
        and (values is None or (len(values.shape) == 1 and not values.requires_grad))
    )


def sparse_product(index, values, shape, x):
    """`A x` of the matrix `A` with `values` at `index`; what stands at one place adds up.

    Memory is linear in the edges, where messages, an edge's times the dim of `x`, are not made.

    Args:
        index: two int tensors `(edges,)`, rows and columns of `A`.
        values: float tensor `(edges,)`, or `None` for ones.
        shape: rows and columns of `A`.
        x: float32 tensor `(columns, dim)`.

    Returns:
        Float32 tensor `(rows, dim)`.
    """
    import torch

    index = torch.stack(index).long()
    values = x.new_ones(index.shape[1]) if values is None else values.to(x.dtype)
    matrix = torch.sparse_coo_tensor(index, values, shape, check_invariants=False)
    return torch.sparse.mm(matrix, x)
