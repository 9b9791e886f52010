from keras import ops

from keras_mmfusion.layers.alignment.tensor_checks import check_cost, real_tokens

FAR = 1e30


def solve_assignment(score, row_mask=None, column_mask=None):
    """The one-to-one assignment of the largest total score, by shortest augmenting paths.

    ```
    argmax_X Σ_ij score_ij X_ij,   X_ij in {0, 1},   Σ_j X_ij <= 1,   Σ_i X_ij <= 1
    ```

    with as many pairs as the smaller side has real members. Exact, in `O(n³)` for each sample;
    the samples of a batch run side by side. No gradient goes through.

    Args:
        score: float tensor `(batch, rows, columns)`.
        row_mask: bool tensor `(batch, rows)`, `True` for what takes part.
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
    rows = real_tokens("solve_assignment", "row_mask", row_mask, score, axis=1)
    columns = real_tokens("solve_assignment", "column_mask", column_mask, score, axis=2)
    pairs = ops.logical_and(ops.expand_dims(rows, 2), ops.expand_dims(columns, 1))
    lowest = ops.min(ops.where(pairs, score, FAR), axis=(1, 2), keepdims=True)
    highest = ops.max(ops.where(pairs, score, -FAR), axis=(1, 2), keepdims=True)
    size = ops.where(highest > lowest, highest - lowest, 1.0)
    # Real pairs cost -2 to -1, all others 0: none of the others stands where a real one could.
    cost = ops.where(pairs, -1.0 - (ops.where(pairs, score, lowest) - lowest) / size, 0.0)
    _, height, width = ops.shape(score)
    side = ops.maximum(height, width) if None in score.shape[1:] else max(height, width)
    cost = ops.pad(cost, [[0, 0], [0, side - height], [0, side - width]])
    row_of = _row_of_each_column(cost, side)
    chosen = ops.expand_dims(row_of, 1) == ops.reshape(ops.arange(side), (1, -1, 1))
    chosen = chosen[:, :height, :width]
    return ops.cast(ops.logical_and(chosen, pairs), "float32")


def _row_of_each_column(cost, side):
    """The least assignment of square costs, as the row of each column, `(batch, side)`."""
    places = ops.expand_dims(ops.arange(side), 0)
    zeros = ops.zeros_like(cost[:, 0])
    nobody = ops.cast(zeros, "int32") - 1
    row_prices, column_prices, row_of, column_of = zeros, zeros, nobody, nobody

    def add_row(row, row_prices, column_prices, row_of, column_of):
        def unfinished(at, sink, least, shortest, path, seen):
            return ops.any(sink < 0)

        def extend(at, sink, least, shortest, path, seen):
            """Goes on to the nearest column, of the samples that have found no free one yet."""
            active = sink < 0
            distance = least + _pick_row(cost, at) - _pick(row_prices, at) - column_prices
            shorter = ops.logical_and(distance < shortest, ops.logical_not(seen))
            shorter = ops.logical_and(shorter, active)
            shortest = ops.where(shorter, distance, shortest)
            path = ops.where(shorter, at, path)
            open_ = ops.where(seen, FAR, shortest)
            nearest = ops.expand_dims(ops.cast(ops.argmin(open_, axis=1), "int32"), 1)
            least = ops.where(active, _pick(open_, nearest), least)
            seen = ops.logical_or(seen, ops.logical_and(active, places == nearest))
            owner = _pick(row_of, nearest)
            sink = ops.where(ops.logical_and(active, owner < 0), nearest, sink)
            return ops.where(sink < 0, owner, at), sink, least, shortest, path, seen

        start = ops.zeros_like(nobody[:, :1])
        _, sink, least, shortest, path, seen = ops.while_loop(
            unfinished,
            extend,
            (start + row, start - 1, zeros[:, :1], zeros + FAR, nobody, zeros > 0),
        )
        rise = ops.where(seen, least - shortest, 0.0)
        # The rows passed on the way are those of the columns seen; the new one has none yet.
        owned = ops.logical_and(column_of >= 0, places != row)
        row_rise = ops.take_along_axis(rise, ops.maximum(column_of, 0), axis=1)
        row_prices = row_prices + ops.where(owned, row_rise, 0.0)
        row_prices = row_prices + ops.where(places == row, least, 0.0)
        column_prices = column_prices - rise

        def on_the_way(column, row_of, column_of):
            return ops.any(column >= 0)

        def swap(column, row_of, column_of):
            """Gives a column to the row that reached it, and goes back to that row's old one."""
            active = column >= 0
            reached_by = _pick(path, ops.maximum(column, 0))
            previous = _pick(column_of, ops.maximum(reached_by, 0))
            taken = ops.logical_and(active, places == column)
            row_of = ops.where(taken, reached_by, row_of)
            moved = ops.logical_and(active, places == reached_by)
            column_of = ops.where(moved, column, column_of)
            return ops.where(active, previous, column), row_of, column_of

        _, row_of, column_of = ops.while_loop(on_the_way, swap, (sink, row_of, column_of))
        return row + 1, row_prices, column_prices, row_of, column_of

    return ops.while_loop(
        lambda row, *_: row < side,
        add_row,
        (0, row_prices, column_prices, row_of, column_of),
    )[3]


def _pick(x, index):
    return ops.take_along_axis(x, index, axis=1)


def _pick_row(matrix, index):
    return ops.take_along_axis(matrix, ops.expand_dims(index, 2), axis=1)[:, 0]
