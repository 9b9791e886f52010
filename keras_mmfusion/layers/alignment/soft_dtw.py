from keras import ops

from keras_mmfusion._checks import check_positive
from keras_mmfusion.layers.alignment.tensor_checks import check_cost, real_tokens

# What no path takes. In units of gamma; hundreds of them still add up to a finite float32.
BARRED = 1e30
# Between padded tokens: far above any real cost, so that padding never is a diagonal's least.
PADDED = 1e10


def solve_soft_dtw(cost, gamma=1.0, row_mask=None, column_mask=None):
    """Soft dynamic time warping: the soft minimum over all monotonic paths, and the expected path.

    ```
    r_ij = C_ij + min_γ(r_i-1,j-1, r_i-1,j, r_i,j-1),   min_γ(a) = -γ log Σ_k exp(-a_k / γ)
    value = r_nm
    plan = ∂ value / ∂ C = Σ_paths p(path) path
    ```

    A path goes from the first pair of tokens to the last, one step down, right or along the
    diagonal at a time; `p` gives each path a probability that falls with its cost, and the plan
    has each pair's probability of being on the path. Masked tokens are left out, wherever they
    stand; without any row or column, value and plan are zeros.

    The recursion runs over whole anti-diagonals, in float32. No gradient goes through the loop:
    the value's is the plan, and the plan's, a product with the value's symmetric matrix of second
    derivatives, is the tangent of the same two recursions.

    Args:
        cost: float tensor `(batch, rows, columns)`.
        gamma: positive float. Towards 0 the value becomes that of dynamic time warping.
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
    rows = real_tokens("solve_soft_dtw", "row_mask", row_mask, cost, axis=1)
    columns = real_tokens("solve_soft_dtw", "column_mask", column_mask, cost, axis=2)
    pairs = ops.logical_and(ops.expand_dims(rows, 2), ops.expand_dims(columns, 1))
    cost = ops.where(pairs, cost, 0.0)
    orders = [_real_first(mask) for mask in (rows, columns)]
    masked = row_mask is not None or column_mask is not None
    ordered, real = (_reorder(x, *orders) if masked else x for x in (cost, pairs))
    value, plan = _solve(ops.where(real, ordered / gamma, PADDED), _last_pair(rows, columns))
    if masked:
        plan = ops.where(pairs, _reorder(plan, *map(ops.argsort, orders)), 0.0)
    value = ops.where(ops.any(pairs, axis=(1, 2)), gamma * value, 0.0)
    # Adds zero, with the value's gradient.
    change = (cost - ops.stop_gradient(cost)) * ops.stop_gradient(plan)
    return value + ops.sum(change, axis=(1, 2)), plan


def _real_first(mask):
    """The order of the tokens in which the real ones come first."""
    count = ops.shape(mask)[1]
    positions = ops.broadcast_to(ops.arange(count), ops.shape(mask))
    return ops.argsort(ops.where(mask, positions, positions + count), axis=1)


def _reorder(x, row_order, column_order):
    x = ops.take_along_axis(x, ops.expand_dims(row_order, 2), axis=1)
    return ops.take_along_axis(x, ops.expand_dims(column_order, 1), axis=2)


def _last_pair(rows, columns):
    """One where the last real tokens of both meet, real ones first, `(diagonals, batch, rows)`."""
    counts = [ops.sum(ops.cast(mask, "int32"), axis=1) for mask in (rows, columns)]
    row_count, column_count = (ops.reshape(count, (1, -1, 1)) for count in counts)
    height, width = ops.shape(rows)[1], ops.shape(columns)[1]
    diagonal = ops.reshape(ops.arange(height + width - 1), (-1, 1, 1))
    last_diagonal = ops.where(column_count > 0, row_count + column_count - 2, -1)
    return ops.cast(
        ops.logical_and(diagonal == last_diagonal, ops.arange(height) == row_count - 1), "float32"
    )


def _solve(cost, end):
    """Value and plan, in units of gamma, of paths to where `end` is one."""
    columns = ops.shape(cost)[2]
    diagonals = _skew(cost)
    value, weights = _soft_minima(ops.stop_gradient(diagonals), end)

    def expected_path(diagonals):
        plan = _backward(end, weights)

        def gradient(*args, upstream=None):
            tangent = args[-1] if upstream is None else upstream
            slopes = _shifted([_forward(tangent, weights)] * 3)
            mean = sum(w * slope for w, slope in zip(weights, slopes, strict=True))
            flow = [plan * w * (mean - slope) for w, slope in zip(weights, slopes, strict=True)]
            start = _reversed(sum(_shifted([_reversed(x) for x in flow])))
            return _backward(start, weights)

        return plan, gradient

    plan = ops.custom_gradient(expected_path)(diagonals)
    return value, _unskew(plan, columns)


def _soft_minima(diagonals, end):
    """The recursion, from the first pair of tokens on.

    Returns:
        The value at the end `(batch,)`, and a list: for the predecessors `(i-1, j)`, `(i, j-1)`
        and `(i-1, j-1)` their weights in the soft minimum, `(diagonals, batch, rows)`.
    """
    _, batch_size, rows = ops.shape(diagonals)
    border = ops.full((batch_size, 1), BARRED)
    barred = ops.full((batch_size, rows), BARRED)
    last = ops.concatenate([border, barred], axis=1)
    before = ops.concatenate([ops.zeros_like(border), barred], axis=1)
    _, steps = ops.scan(_add_diagonal, (last, before, ops.zeros_like(border)), diagonals)
    value = ops.sum(ops.where(end > 0, steps[0][:, :, 1:] + steps[2], 0.0), axis=(0, 2))
    # Each step's weights come from what the step before it left.
    last, before = (
        ops.concatenate([ops.expand_dims(first, 0), later[:-1]], axis=0)
        for first, later in ((last, steps[0]), (before, steps[1]))
    )
    _, exponentials = _relative_to_least(_predecessors(last, before))
    total = sum(exponentials)
    return value, [x / total for x in exponentials]


def _add_diagonal(carry, diagonal):
    # A function of the module, not a closure: JAX compiles the scan once, not at each call.
    last, before, total = carry
    least, exponentials = _relative_to_least(_predecessors(last, before))
    new = diagonal + least - ops.log(sum(exponentials))
    new = ops.concatenate([ops.full_like(total, BARRED), new], axis=1)
    # Kept small by the least: differences of large sums would lose float32's digits.
    lowest = ops.min(new, axis=1, keepdims=True)
    carry = new - lowest, last - lowest, total + lowest
    return carry, carry


def _relative_to_least(parts):
    """The least of three, and the exponentials of how much it is below each."""
    least = ops.minimum(ops.minimum(parts[0], parts[1]), parts[2])
    return least, [ops.exp(least - part) for part in parts]


def _forward(start, weights):
    """`x_ij = start_ij + Σ_k weights_ij,k x_k`, over the predecessors `k` of `(i, j)`."""
    zeros = ops.pad(ops.zeros_like(start[0]), [[0, 0], [1, 0]])
    # As one tensor: `scan` on TensorFlow takes no two of a length that is not known statically.
    diagonals = ops.stack([start, *weights], axis=1)
    _, (x, _) = ops.scan(_sum_diagonal, (zeros, zeros), diagonals)
    return x[:, :, 1:]


def _sum_diagonal(carry, diagonal):
    new = diagonal[0]
    for k, part in enumerate(_predecessors(*carry)):
        new = new + diagonal[k + 1] * part
    carry = ops.pad(new, [[0, 0], [1, 0]]), carry[0]
    return carry, carry  # TensorFlow's scan collects what has the carry's structure only.


def _backward(start, weights):
    """`x_k = start_k + Σ_ij weights_ij,k x_ij`, over the pairs `(i, j)` that `k` precedes."""
    # Read from the end, successors are predecessors.
    weights = _shifted([_reversed(w) for w in weights])
    return _reversed(_forward(_reversed(start), weights))


def _reversed(x):
    return ops.flip(x, axis=(0, 2))


def _predecessors(last, before):
    """Of a diagonal, from the two before it with their borders."""
    return last[..., :-1], last[..., 1:], before[..., :-1]


def _shifted(parts):
    """For the predecessors `(i-1, j)`, `(i, j-1)`, `(i-1, j-1)` their parts, moved to `(i, j)`."""
    up, left, across = parts
    return [_shift(up, 1, 1), _shift(left, 1, 0), _shift(across, 2, 1)]


def _shift(x, diagonals, rows):
    """`x` some diagonals and rows later, zeros before."""
    count = ops.shape(x)
    x = ops.concatenate([ops.zeros_like(x[:diagonals]), x[: count[0] - diagonals]], axis=0)
    return ops.concatenate([ops.zeros_like(x[:, :, :rows]), x[:, :, : count[2] - rows]], axis=2)


def _skew(x):
    """`(batch, rows, columns)` to `(diagonals, batch, rows)`: row `i` moved on by `i`."""
    batch_size, rows, columns = ops.shape(x)
    x = ops.concatenate([x, ops.full((batch_size, rows, rows), BARRED)], axis=2)
    # Rows of one less than they are: each begins one later than the row before.
    x = ops.reshape(x, (batch_size, -1))[:, : rows * (rows + columns - 1)]
    return ops.transpose(ops.reshape(x, (batch_size, rows, rows + columns - 1)), (2, 0, 1))


def _unskew(x, columns):
    """The inverse of `_skew`."""
    diagonals, batch_size, rows = ops.shape(x)
    x = ops.reshape(ops.transpose(x, (1, 2, 0)), (batch_size, rows * diagonals))
    x = ops.concatenate([x, ops.zeros((batch_size, rows))], axis=1)
    return ops.reshape(x, (batch_size, rows, diagonals + 1))[:, :, :columns]
