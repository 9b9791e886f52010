from keras import ops

from keras_mmfusion._checks import check_integer, check_positive
from keras_mmfusion.layers.alignment.tensor_checks import check_cost, resolve_mask

# The logarithm of zero mass. Finite, so that differences are not NaN.
LOG_ZERO = -1e30
# Keeps the linear system of the gradient solvable if the plan is block-diagonal.
RIDGE = 1e-6


def solve_optimal_transport(
    cost,
    regularization=0.1,
    marginal_penalty=None,
    row_mass=None,
    column_mass=None,
    row_mask=None,
    column_mask=None,
    max_iterations=1000,
    tolerance=1e-6,
):
    """Solves entropic optimal transport by Sinkhorn iterations in the log domain.

    ```
    plan = argmin_P  <C, P> + ε KL(P | a bᵀ),   P 1 = a,  Pᵀ 1 = b
    plan = argmin_P  <C, P> + ε KL(P | a bᵀ) + ρ KL(P 1 | a) + ρ KL(Pᵀ 1 | b)
    ```

    The second problem, with a `marginal_penalty` ρ, is unbalanced: expensive mass need not be
    transported. With `λ = ρ / (ρ + ε)`, or 1 for the first problem, both are solved by

    ```
    φ_i = -λ log Σ_j b_j exp(ψ_j - C_ij / ε)
    ψ_j = -λ log Σ_i a_i exp(φ_i - C_ij / ε)
    P_ij = a_i b_j exp(φ_i + ψ_j - C_ij / ε)
    ```

    The gradient is that of the fixed point: one linear system of `columns` unknowns, independent
    of the number of iterations, which are not stored. It flows to `cost` and both masses.

    Args:
        cost: float tensor `(batch, rows, columns)`.
        regularization: positive float, `ε`, in the unit of `cost`.
        marginal_penalty: positive float, `ρ`; `None` for the balanced problem.
        row_mass: non-negative float tensor `(batch, rows)`, `a`. Defaults to a uniform
            distribution.
        column_mass: non-negative float tensor `(batch, columns)`, `b`. Defaults to a uniform
            distribution. In the balanced problem it is scaled to the sum of the rows' masses.
        row_mask: bool tensor `(batch, rows)`, `True` for a real token.
        column_mask: bool tensor `(batch, columns)`.
        max_iterations: int.
        tolerance: positive float. Iterations end if the relative change of `ψ` is smaller.

    Returns:
        A tuple of float32 tensors: the cost of transport `<C, P>`, `(batch,)`, and the plan
        `(batch, rows, columns)`. Both are zeros if all rows or all columns are masked.

    Raises:
        ValueError: if `cost`, a mass or a mask has the wrong shape, or a number is out of range.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.alignment import solve_optimal_transport
    >>> cost = np.array([[[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]])
    >>> _, plan = solve_optimal_transport(cost, regularization=0.01)
    >>> np.round(np.array(plan[0]) * 6).astype(int).tolist()
    [[2, 1, 0], [0, 1, 2]]

    Reference:
        Cuturi, "Sinkhorn Distances", 2013; unbalanced: Chizat et al., "Scaling Algorithms for
        Unbalanced Optimal Transport Problems", 2018, table 1; the gradient: Luise et al.,
        "Differential Properties of Sinkhorn Approximation for Learning with Wasserstein
        Distance", 2018, theorem 2.
    """
    caller = "solve_optimal_transport"
    cost = check_cost(caller, cost)
    regularization = check_positive(caller, "regularization", regularization)
    damping = 1.0
    if marginal_penalty is not None:
        marginal_penalty = check_positive(caller, "marginal_penalty", marginal_penalty)
        damping = marginal_penalty / (marginal_penalty + regularization)
    check_integer(caller, "max_iterations", max_iterations)
    tolerance = check_positive(caller, "tolerance", tolerance)
    rows = resolve_mask(caller, "row_mask", row_mask, cost, axis=1)
    columns = resolve_mask(caller, "column_mask", column_mask, cost, axis=2)
    row_mass = _resolve_mass(caller, "row_mass", row_mass, rows)
    column_mass = _resolve_mass(caller, "column_mass", column_mass, columns)
    if marginal_penalty is None:
        total = ops.sum(column_mass, axis=1, keepdims=True)
        total = ops.where(total > 0, total, 1.0)
        column_mass = column_mass * (ops.sum(row_mass, axis=1, keepdims=True) / total)
    pairs = ops.logical_and(ops.expand_dims(row_mass > 0, 2), ops.expand_dims(column_mass > 0, 1))
    cost = ops.where(pairs, cost, 0.0)
    plan = _solve(
        cost / regularization,
        _log_mass(row_mass, ops.any(pairs, axis=2)),
        _log_mass(column_mass, ops.any(pairs, axis=1)),
        pairs,
        damping,
        max_iterations,
        tolerance,
    )
    return ops.sum(plan * cost, axis=(1, 2)), plan


def _resolve_mass(caller, name, mass, mask):
    """Zeroes masked masses; the default is uniform over the unmasked rows or columns."""
    if mass is None:
        mass = ops.cast(mask, "float32")
        return mass / ops.maximum(ops.sum(mass, axis=1, keepdims=True), 1.0)
    mass = ops.cast(ops.convert_to_tensor(mass), "float32")
    resolve_mask(caller, name, mass > 0, mask)  # checks the shape
    return ops.where(mask, mass, 0.0)


def _log_mass(mass, mask):
    return ops.where(mask, ops.log(ops.where(mask, mass, 1.0)), LOG_ZERO)


def _solve(cost, row_log, column_log, pairs, damping, max_iterations, tolerance):
    """Computes the plan; `cost` is in units of the regularization."""
    rows, columns = ops.any(pairs, axis=2), ops.any(pairs, axis=1)

    def compute_row_potential(column, cost, column_log):
        exponents = ops.expand_dims(column_log + column, 1) - cost
        return ops.where(rows, -damping * ops.logsumexp(exponents, axis=2), 0.0)

    def compute_column_potential(row, cost, row_log):
        exponents = ops.expand_dims(row_log + row, 2) - cost
        return ops.where(columns, -damping * ops.logsumexp(exponents, axis=1), 0.0)

    def compute_plan(row, column, cost, row_log, column_log):
        exponents = ops.expand_dims(row_log + row, 2) + ops.expand_dims(column_log + column, 1)
        return ops.exp(ops.where(pairs, exponents - cost, LOG_ZERO))

    fixed = [ops.stop_gradient(x) for x in (cost, row_log, column_log)]

    def is_unfinished(column, change):
        return change > tolerance

    def iterate(column, change):
        row = compute_row_potential(column, fixed[0], fixed[2])
        new = compute_column_potential(row, fixed[0], fixed[1])
        size = 1.0 + ops.max(ops.abs(new), axis=1)
        return new, ops.max(ops.max(ops.abs(new - column), axis=1) / size)

    start = ops.zeros_like(fixed[2]), ops.sum(ops.zeros_like(fixed[2])) + 2 * tolerance
    solved, _ = ops.while_loop(is_unfinished, iterate, start, maximum_iterations=max_iterations)
    solved_plan = compute_plan(compute_row_potential(solved, fixed[0], fixed[2]), solved, *fixed)

    def fixed_point(cost, row_log, column_log):
        def gradient(*args, upstream=None):
            upstream = args[-1] if upstream is None else upstream
            multipliers = _solve_linearized(solved_plan, upstream, rows, columns, damping)
            column_multipliers = ops.expand_dims(multipliers[0], 1)
            row_multipliers = ops.expand_dims(multipliers[1], 2)
            return (
                solved_plan * (column_multipliers - row_multipliers),
                -ops.sum(solved_plan * column_multipliers, axis=2),
                ops.sum(solved_plan * row_multipliers, axis=1),
            )

        return solved, gradient

    column = ops.custom_gradient(fixed_point)(cost, row_log, column_log)
    # Automatic differentiation handles the rest.
    row = compute_row_potential(column, cost, column_log)
    return compute_plan(row, column, cost, row_log, column_log)


def _solve_linearized(plan, upstream, rows, columns, damping):
    """Solves the linearized fixed-point equations for the multipliers of the gradient.

    With the plan's sums `r`, `s` the equations' differentials are

    ```
    r_i/λ dφ_i + Σ_j P_ij dψ_j = Σ_j P_ij (dC_ij - d log b_j)
    Σ_i P_ij dφ_i + s_j/λ dψ_j = Σ_i P_ij (dC_ij - d log a_i)
    ```

    and without `dφ`, `S dψ = ...` with `S = diag(s)/λ - λ Pᵀ diag(1/r) P`. The multipliers of the
    columns are `q = S⁻¹ upstream`, those of the rows `λ P q / r`.
    """
    row_sums = ops.where(rows, ops.sum(plan, axis=2), 1.0)
    column_sums = ops.where(columns, ops.sum(plan, axis=1), 1.0)
    # The sums of an unbalanced plan may underflow.
    row_roots, roots = (ops.sqrt(ops.maximum(x, 1e-30)) for x in (row_sums, column_sums))
    scaled = plan / ops.expand_dims(row_roots, 2) / ops.expand_dims(roots, 1)
    system = (1 / damping + RIDGE) * ops.eye(ops.shape(plan)[2])
    system = system - damping * ops.matmul(ops.transpose(scaled, (0, 2, 1)), scaled)
    if damping == 1.0:
        # The plan is invariant to φ + t, ψ - t: fix the solution orthogonal to this direction.
        constant = ops.where(columns, roots, 0.0)
        norm = ops.maximum(ops.sum(ops.square(constant), axis=1), 1e-30)
        constant = constant / ops.sqrt(ops.expand_dims(norm, 1))
        system = system + ops.expand_dims(constant, 2) * ops.expand_dims(constant, 1)
    solution = ops.solve(system, ops.expand_dims(upstream / roots, 2))
    column_multipliers = solution[:, :, 0] / roots
    row_multipliers = damping * ops.matmul(scaled, solution)[:, :, 0] / row_roots
    return column_multipliers, row_multipliers
