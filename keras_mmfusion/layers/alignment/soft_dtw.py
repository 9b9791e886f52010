from keras import ops

from keras_mmfusion._checks import check_positive
from keras_mmfusion.layers.alignment.tensor_checks import check_cost, resolve_mask

# Cost, in units of gamma, of cells outside of the matrix. The sum of hundreds is finite in float32.
UNREACHABLE = 1e30
# Cost of padding: far above any other cost, so that padding is never the minimum of a diagonal.
PADDING_COST = 1e10


def solve_soft_dtw(cost, gamma=1.0, row_mask=None, column_mask=None):
    """Soft dynamic time warping: the soft minimum over all monotonic paths and the expected path.

    ```
    r_ij = C_ij + min_γ(r_i-1,j-1, r_i-1,j, r_i,j-1),   min_γ(a) = -γ log Σ_k exp(-a_k / γ)
    value = r_nm
    plan = ∂ value / ∂ C = Σ_paths p(path) path
    ```

    A path goes from the first pair of tokens to the last in steps down, to the right or along the
    diagonal. The probability `p` of a path decreases with its cost, and the plan is each pair's
    probability of being on the path. Masked tokens are left out, at any position; if all rows or
    all columns are masked, value and plan are zeros.

    The recursion runs over anti-diagonals, in float32. No gradient flows through the loop: the
    gradient of the value is the plan, and that of the plan, a product with the symmetric Hessian
    of the value, is the tangent of the same two recursions.

    Args:
        cost: float tensor `(batch, rows, columns)`.
        gamma: positive float. As it approaches 0, the value becomes that of dynamic time warping.
        row_mask: bool tensor `(batch, rows)`, `True` for a real token.
        column_mask: bool tensor `(batch, columns)`.

    Returns:
        A tuple of float32 tensors: the value `(batch,)` and the plan `(batch, rows, columns)`.

    Raises:
        ValueError: if `cost` or a mask has the wrong shape, or `gamma` is not positive.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.alignment import solve_soft_dtw
    >>> x, y = np.array([0.0, 1.0, 5.0]), np.array([0.0, 0.0, 1.0, 5.0])
    >>> value, plan = solve_soft_dtw(np.square(x[:, None] - y)[None], gamma=0.01)
    >>> np.round(np.array(plan[0])).astype(int).tolist()
    [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]

    Reference:
        Cuturi and Blondel, "Soft-DTW: a Differentiable Loss Function for Time-Series", 2017,
        algorithms 1 and 2; the plan's derivative: Mensch and Blondel, "Differentiable Dynamic
        Programming for Structured Prediction and Attention", 2018, section 3.
    """
    cost = check_cost("solve_soft_dtw", cost)
    gamma = check_positive("solve_soft_dtw", "gamma", gamma)
    rows = resolve_mask("solve_soft_dtw", "row_mask", row_mask, cost, axis=1)
    columns = resolve_mask("solve_soft_dtw", "column_mask", column_mask, cost, axis=2)
    pairs = ops.logical_and(ops.expand_dims(rows, 2), ops.expand_dims(columns, 1))
    cost = ops.where(pairs, cost, 0.0)
    orders = [_sort_by_mask(mask) for mask in (rows, columns)]
    masked = row_mask is not None or column_mask is not None
    ordered, ordered_pairs = (_reorder(x, *orders) if masked else x for x in (cost, pairs))
    ordered = ops.where(ordered_pairs, ordered / gamma, PADDING_COST)
    value, plan = _solve(ordered, _locate_end(rows, columns))
    if masked:
        plan = ops.where(pairs, _reorder(plan, *map(ops.argsort, orders)), 0.0)
    value = ops.where(ops.any(pairs, axis=(1, 2)), gamma * value, 0.0)
    # Zero, but with the gradient of the value.
    zero = (cost - ops.stop_gradient(cost)) * ops.stop_gradient(plan)
    return value + ops.sum(zero, axis=(1, 2)), plan


def _sort_by_mask(mask):
    """Indices that move the unmasked tokens to the front and keep their order."""
    count = ops.shape(mask)[1]
    positions = ops.broadcast_to(ops.arange(count), ops.shape(mask))
    return ops.argsort(ops.where(mask, positions, positions + count), axis=1)


def _reorder(x, row_order, column_order):
    x = ops.take_along_axis(x, ops.expand_dims(row_order, 2), axis=1)
    return ops.take_along_axis(x, ops.expand_dims(column_order, 1), axis=2)


def _locate_end(rows, columns):
    """One-hot index `(diagonals, batch, rows)` of the last pair, after `_sort_by_mask`."""
    counts = [ops.sum(ops.cast(mask, "int32"), axis=1) for mask in (rows, columns)]
    row_count, column_count = (ops.reshape(count, (1, -1, 1)) for count in counts)
    height, width = ops.shape(rows)[1], ops.shape(columns)[1]
    diagonal = ops.reshape(ops.arange(height + width - 1), (-1, 1, 1))
    last_diagonal = ops.where(column_count > 0, row_count + column_count - 2, -1)
    return ops.cast(
        ops.logical_and(diagonal == last_diagonal, ops.arange(height) == row_count - 1), "float32"
    )


def _solve(cost, end):
    """Value and plan, in units of gamma, of the paths to the pair where `end` is 1."""
    columns = ops.shape(cost)[2]
    diagonals = _skew(cost)
    value, weights = _compute_soft_minima(ops.stop_gradient(diagonals), end)

    def compute_plan(diagonals):
        plan = _propagate_backward(end, weights)

        def gradient(*args, upstream=None):
            upstream = args[-1] if upstream is None else upstream
            tangents = _shift_all([_propagate_forward(upstream, weights)] * 3)
            mean = sum(w * tangent for w, tangent in zip(weights, tangents, strict=True))
            flow = [
                plan * w * (mean - tangent) for w, tangent in zip(weights, tangents, strict=True)
            ]
            start = _reverse(sum(_shift_all([_reverse(x) for x in flow])))
            return _propagate_backward(start, weights)

        return plan, gradient

    plan = ops.custom_gradient(compute_plan)(diagonals)
    return value, _unskew(plan, columns)


def _compute_soft_minima(diagonals, end):
    """The recursion over the diagonals.

    Returns:
        The value at `end`, `(batch,)`, and a list of the weights of the predecessors `(i-1, j)`,
        `(i, j-1)` and `(i-1, j-1)` in the soft minimum, each `(diagonals, batch, rows)`.
    """
    _, batch_size, rows = ops.shape(diagonals)
    border = ops.full((batch_size, 1), UNREACHABLE)
    unreachable = ops.full((batch_size, rows), UNREACHABLE)
    last = ops.concatenate([border, unreachable], axis=1)
    before = ops.concatenate([ops.zeros_like(border), unreachable], axis=1)
    _, steps = ops.scan(_add_diagonal, (last, before, ops.zeros_like(border)), diagonals)
    value = ops.sum(ops.where(end > 0, steps[0][:, :, 1:] + steps[2], 0.0), axis=(0, 2))
    # The weights of a step are those of the carry before it.
    last, before = (
        ops.concatenate([ops.expand_dims(first, 0), later[:-1]], axis=0)
        for first, later in ((last, steps[0]), (before, steps[1]))
    )
    _, exponentials = _shift_by_minimum(_get_predecessors(last, before))
    total = sum(exponentials)
    return value, [x / total for x in exponentials]


def _add_diagonal(carry, diagonal):
    # A module-level function, not a closure, so that JAX compiles the scan only once.
    last, before, total = carry
    minimum, exponentials = _shift_by_minimum(_get_predecessors(last, before))
    new = diagonal + minimum - ops.log(sum(exponentials))
    new = ops.concatenate([ops.full_like(total, UNREACHABLE), new], axis=1)
    # Subtract the minimum: differences of large sums would lose digits in float32.
    lowest = ops.min(new, axis=1, keepdims=True)
    carry = new - lowest, last - lowest, total + lowest
    return carry, carry


def _shift_by_minimum(parts):
    """The minimum `m` of three tensors, and `exp(m - x)` for each tensor `x`."""
    minimum = ops.minimum(ops.minimum(parts[0], parts[1]), parts[2])
    return minimum, [ops.exp(minimum - part) for part in parts]


def _propagate_forward(start, weights):
    """`x_ij = start_ij + Σ_k weights_ij,k x_k`, over the predecessors `k` of `(i, j)`."""
    zeros = ops.pad(ops.zeros_like(start[0]), [[0, 0], [1, 0]])
    # One tensor, since TensorFlow's `scan` does not accept several of unknown length.
    diagonals = ops.stack([start, *weights], axis=1)
    _, (x, _) = ops.scan(_sum_diagonal, (zeros, zeros), diagonals)
    return x[:, :, 1:]


def _sum_diagonal(carry, diagonal):
    new = diagonal[0]
    for k, part in enumerate(_get_predecessors(*carry)):
        new = new + diagonal[k + 1] * part
    carry = ops.pad(new, [[0, 0], [1, 0]]), carry[0]
    return carry, carry  # TensorFlow's scan can only collect the carry's structure.


def _propagate_backward(start, weights):
    """`x_k = start_k + Σ_ij weights_ij,k x_ij`, over the pairs `(i, j)` that `k` precedes."""
    # In reverse order, successors are predecessors.
    weights = _shift_all([_reverse(w) for w in weights])
    return _reverse(_propagate_forward(_reverse(start), weights))


def _reverse(x):
    return ops.flip(x, axis=(0, 2))


def _get_predecessors(last, before):
    """Predecessors of a diagonal, from the two padded diagonals before it."""
    return last[..., :-1], last[..., 1:], before[..., :-1]


def _shift_all(parts):
    """Moves values of the predecessors `(i-1, j)`, `(i, j-1)`, `(i-1, j-1)` to `(i, j)`."""
    up, left, across = parts
    return [_shift(up, 1, 1), _shift(left, 1, 0), _shift(across, 2, 1)]


def _shift(x, diagonals, rows):
    """Shifts `x` by a number of diagonals and rows; fills with zeros."""
    count = ops.shape(x)
    x = ops.concatenate([ops.zeros_like(x[:diagonals]), x[: count[0] - diagonals]], axis=0)
    return ops.concatenate([ops.zeros_like(x[:, :, :rows]), x[:, :, : count[2] - rows]], axis=2)


def _skew(x):
    """`(batch, rows, columns)` to `(diagonals, batch, rows)`: row `i` is shifted by `i`."""
    batch_size, rows, columns = ops.shape(x)
    x = ops.concatenate([x, ops.full((batch_size, rows, rows), UNREACHABLE)], axis=2)
    # Rows that are one shorter: each starts one later than the row before.
    x = ops.reshape(x, (batch_size, -1))[:, : rows * (rows + columns - 1)]
    return ops.transpose(ops.reshape(x, (batch_size, rows, rows + columns - 1)), (2, 0, 1))


def _unskew(x, columns):
    """The inverse of `_skew`."""
    diagonals, batch_size, rows = ops.shape(x)
    x = ops.reshape(ops.transpose(x, (1, 2, 0)), (batch_size, rows * diagonals))
    x = ops.concatenate([x, ops.zeros((batch_size, rows))], axis=1)
    return ops.reshape(x, (batch_size, rows, diagonals + 1))[:, :, :columns]
