import keras
import numpy as np
import pytest

if keras.config.backend() != "torch":
    pytest.skip("needs PyTorch", allow_module_level=True)

import torch

from keras_mmfusion.layers.graph import order_edges
from keras_mmfusion.layers.graph.core.sparse_product import multiply_sparse, supports_sparse

ROWS, COLUMNS = 5, 4
# Edge 0 is duplicated, row 3 has no edge, and the edges are not sorted.
INDEX = torch.tensor([[4, 0, 4, 2, 1, 0], [3, 1, 3, 0, 2, 2]])
VALUES = torch.tensor([0.5, 2.0, 1.5, -1.0, 3.0, 0.0])


def matrix(values):
    dense = torch.zeros(ROWS, COLUMNS, dtype=torch.float64)
    return dense.index_put(tuple(INDEX), values.double(), accumulate=True)


def product(x, values=VALUES, index=INDEX):
    return multiply_sparse(tuple(index), values, (ROWS, COLUMNS), x)


@pytest.mark.parametrize("values", [VALUES, None], ids=["values", "ones"])
@pytest.mark.parametrize("ids", [torch.int32, torch.int64])
def test_product_matches_dense_product(values, ids):
    x = torch.randn(COLUMNS, 3)
    expected = matrix(torch.ones(6) if values is None else values) @ x.double()
    actual = product(x, values, INDEX.to(ids))
    assert actual.dtype == torch.float32
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_derivatives_match_finite_differences():
    x = torch.randn(COLUMNS, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: product(x) ** 2, x)
    assert torch.autograd.gradgradcheck(lambda x: product(x) ** 2, x)


def test_order_avoids_sorting_without_changing_results(monkeypatch):
    x = torch.randn(COLUMNS, 3, dtype=torch.float64, requires_grad=True)
    expected = product(x)
    (gradient,) = torch.autograd.grad((expected**2).sum(), x)
    monkeypatch.setattr(torch, "sort", None)
    order = tuple(order_edges(INDEX))
    actual = multiply_sparse(tuple(INDEX), VALUES, (ROWS, COLUMNS), x, order)
    np.testing.assert_array_equal(actual.detach(), expected.detach())
    np.testing.assert_array_equal(torch.autograd.grad((actual**2).sum(), x)[0], gradient)


def test_product_without_edges_is_zero():
    x = torch.randn(COLUMNS, 3, requires_grad=True)
    actual = product(x, VALUES[:0], INDEX[:, :0])
    np.testing.assert_array_equal(actual.detach(), np.zeros((ROWS, 3)))
    actual.sum().backward()
    np.testing.assert_array_equal(x.grad, np.zeros((COLUMNS, 3)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bit_sums_are_accumulated_in_float32(dtype):
    edges = 4096  # 16-bit sums of ones saturate at 256 or 2,048.
    index = (torch.zeros(edges, dtype=torch.int64), torch.zeros(edges, dtype=torch.int64))
    x = torch.ones(1, 2, dtype=dtype, requires_grad=True)
    actual = multiply_sparse(index, None, (1, 1), x)
    assert actual.dtype == dtype
    assert actual.tolist() == [[edges, edges]]
    actual.sum().backward()
    assert x.grad.tolist() == [[edges, edges]]


def test_supports_sparse_requires_constant_coefficients():
    assert supports_sparse(torch.ones(2, 3), None, None)
    assert supports_sparse(torch.ones(2, 3), torch.ones(4), None)
    assert not supports_sparse(torch.ones(2, 3), torch.ones(4, requires_grad=True), None)
    assert not supports_sparse(torch.ones(2, 3, dtype=torch.int32), None, None)
    assert not supports_sparse(torch.ones(2, 3, 4), torch.ones(4, 3), None)
    assert not supports_sparse(torch.ones(2, 3, device="meta"), None, None)
