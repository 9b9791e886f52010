from keras import ops

from keras_mmfusion.layers.alignment.tensor_checks import check_cost, resolve_mask

# Above any distance.
FAR = 1e30


def solve_assignment(score, row_mask=None, column_mask=None):
    """Finds the one-to-one assignment with the largest total score.

    ```
    argmax_X Σ_ij score_ij X_ij,   X_ij in {0, 1},   Σ_j X_ij <= 1,   Σ_i X_ij <= 1
    ```

    with as many pairs as the smaller side has unmasked members. The solution is exact. Shortest
    augmenting paths take `O(n³)` for each sample, and all samples of a batch are solved in
    parallel. No gradient flows through the result.

    Args:
        score: float tensor `(batch, rows, columns)`.
        row_mask: bool tensor `(batch, rows)`, `False` for rows to leave out.
        column_mask: bool tensor `(batch, columns)`.

    Returns:
        Float32 tensor `(batch, rows, columns)` of zeros and ones.

    Raises:
        ValueError: if `score` or a mask has the wrong shape.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.alignment import solve_assignment
    >>> score = np.array([[[5.0, 4.0, 1.0], [4.0, 1.0, 1.0]]])
    >>> np.array(solve_assignment(score)[0]).astype(int).tolist()
    [[0, 1, 0], [1, 0, 0]]

    Reference:
        Crouse, "On Implementing 2D Rectangular Assignment Algorithms", 2016, section II.
    """
    score = ops.stop_gradient(check_cost("solve_assignment", score, "score"))
    rows = resolve_mask("solve_assignment", "row_mask", row_mask, score, axis=1)
    columns = resolve_mask("solve_assignment", "column_mask", column_mask, score, axis=2)
    pairs = ops.logical_and(ops.expand_dims(rows, 2), ops.expand_dims(columns, 1))
    lowest = ops.min(ops.where(pairs, score, FAR), axis=(1, 2), keepdims=True)
    highest = ops.max(ops.where(pairs, score, -FAR), axis=(1, 2), keepdims=True)
    size = ops.where(highest > lowest, highest - lowest, 1.0)
    # Unmasked pairs cost -2 to -1 and all others 0, so a masked pair never replaces one.
    cost = ops.where(pairs, -1.0 - (ops.where(pairs, score, lowest) - lowest) / size, 0.0)
    _, height, width = ops.shape(score)
    side = ops.maximum(height, width) if None in score.shape[1:] else max(height, width)
    cost = ops.pad(cost, [[0, 0], [0, side - height], [0, side - width]])
    row_of = _assign_columns(cost, side)
    assigned = ops.expand_dims(row_of, 1) == ops.reshape(ops.arange(side), (1, -1, 1))
    assigned = assigned[:, :height, :width]
    return ops.cast(ops.logical_and(assigned, pairs), "float32")


def _assign_columns(cost, side):
    """Solves the assignment of square costs: the row of each column, `(batch, side)`."""
    indices = ops.expand_dims(ops.arange(side), 0)
    zeros = ops.zeros_like(cost[:, 0])
    unassigned = ops.cast(zeros, "int32") - 1
    row_prices, column_prices, row_of, column_of = zeros, zeros, unassigned, unassigned

    def add_row(row, row_prices, column_prices, row_of, column_of):
        def is_unfinished(current_row, sink, distance, shortest, path, visited):
            return ops.any(sink < 0)

        def extend_path(current_row, sink, distance, shortest, path, visited):
            """Extends the path to the nearest column, in samples without a free column yet."""
            active = sink < 0
            reduced = _take_row(cost, current_row) - _take(row_prices, current_row) - column_prices
            candidate = distance + reduced
            shorter = ops.logical_and(candidate < shortest, ops.logical_not(visited))
            shorter = ops.logical_and(shorter, active)
            shortest = ops.where(shorter, candidate, shortest)
            path = ops.where(shorter, current_row, path)
            unvisited = ops.where(visited, FAR, shortest)
            nearest = ops.expand_dims(ops.cast(ops.argmin(unvisited, axis=1), "int32"), 1)
            distance = ops.where(active, _take(unvisited, nearest), distance)
            visited = ops.logical_or(visited, ops.logical_and(active, indices == nearest))
            owner = _take(row_of, nearest)
            sink = ops.where(ops.logical_and(active, owner < 0), nearest, sink)
            current_row = ops.where(sink < 0, owner, current_row)
            return current_row, sink, distance, shortest, path, visited

        start = ops.zeros_like(unassigned[:, :1])
        _, sink, distance, shortest, path, visited = ops.while_loop(
            is_unfinished,
            extend_path,
            (start + row, start - 1, zeros[:, :1], zeros + FAR, unassigned, zeros > 0),
        )
        change = ops.where(visited, distance - shortest, 0.0)
        # The rows on the path are those of the visited columns; the new row has no column yet.
        has_column = ops.logical_and(column_of >= 0, indices != row)
        row_change = ops.take_along_axis(change, ops.maximum(column_of, 0), axis=1)
        row_prices = row_prices + ops.where(has_column, row_change, 0.0)
        row_prices = row_prices + ops.where(indices == row, distance, 0.0)
        column_prices = column_prices - change

        def is_on_path(column, row_of, column_of):
            return ops.any(column >= 0)

        def reassign(column, row_of, column_of):
            """Assigns a column to the row that reached it; that row's old column is next."""
            active = column >= 0
            reached_by = _take(path, ops.maximum(column, 0))
            previous = _take(column_of, ops.maximum(reached_by, 0))
            is_column = ops.logical_and(active, indices == column)
            row_of = ops.where(is_column, reached_by, row_of)
            is_row = ops.logical_and(active, indices == reached_by)
            column_of = ops.where(is_row, column, column_of)
            return ops.where(active, previous, column), row_of, column_of

        _, row_of, column_of = ops.while_loop(is_on_path, reassign, (sink, row_of, column_of))
        return row + 1, row_prices, column_prices, row_of, column_of

    return ops.while_loop(
        lambda row, *_: row < side,
        add_row,
        (0, row_prices, column_prices, row_of, column_of),
    )[3]


def _take(x, index):
    return ops.take_along_axis(x, index, axis=1)


def _take_row(matrix, index):
    return ops.take_along_axis(matrix, ops.expand_dims(index, 2), axis=1)[:, 0]
