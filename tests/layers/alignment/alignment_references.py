"""NumPy float64 references of the alignments, as loops, and padded inputs."""

import numpy as np

RNG = np.random.default_rng(0)
QUERY = RNG.normal(size=(3, 4, 5)).astype("float32")
VALUE = RNG.normal(size=(3, 6, 5)).astype("float32")
# The last sample has no padding.
QUERY_MASK = np.array([[1, 1, 1, 0], [0, 1, 0, 1], [1, 1, 1, 1]], "bool")
VALUE_MASK = np.array([[1, 0, 1, 1, 0, 1], [1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]], "bool")


def soft_dtw(cost, gamma):
    """Value and plan of one cost matrix: the recursion and its derivative, pair by pair."""
    rows, columns = cost.shape
    totals = np.full((rows + 1, columns + 1), np.inf)
    totals[0, 0] = 0
    weights = np.zeros((rows + 1, columns + 1, 3))
    steps = ((-1, 0), (0, -1), (-1, -1))
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            previous = np.array([totals[i + a, j + b] for a, b in steps])
            minimum = previous.min()
            exponentials = np.exp((minimum - previous) / gamma)
            weights[i, j] = exponentials / exponentials.sum()
            totals[i, j] = cost[i - 1, j - 1] + minimum - gamma * np.log(exponentials.sum())
    plan = np.zeros((rows + 1, columns + 1))
    plan[rows, columns] = 1
    for i in range(rows, 0, -1):
        for j in range(columns, 0, -1):
            for k, (a, b) in enumerate(steps):
                plan[i + a, j + b] += plan[i, j] * weights[i, j, k]
    return totals[-1, -1], plan[1:, 1:]


def transport(cost, regularization, penalty=None, row_mass=None, column_mass=None):
    """The plan of one cost matrix, by Sinkhorn scaling until convergence."""
    rows, columns = cost.shape
    a = np.full(rows, 1 / rows) if row_mass is None else np.float64(row_mass)
    b = np.full(columns, 1 / columns) if column_mass is None else np.float64(column_mass)
    kernel = a[:, None] * b * np.exp(-cost / regularization)
    power = 1 if penalty is None else penalty / (penalty + regularization)
    if penalty is None:
        kernel, b = kernel * a.sum() / b.sum(), b * a.sum() / b.sum()
    u, v = np.ones(rows), np.ones(columns)
    for _ in range(20000):
        # u_i = (a_i / Σ_j K_ij v_j)^λ if the reference measure is a bᵀ.
        old, u = u, (a / (kernel @ v)) ** power
        v = (b / (kernel.T @ u)) ** power
        if np.abs(u - old).max() < 1e-14 * np.abs(u).max():
            break
    return u[:, None] * kernel * v


def solve_unmasked(solve, cost, row_mask, column_mask):
    """Applies `solve` to each sample's unmasked rows and columns; zeros elsewhere."""
    plans = np.zeros(cost.shape)
    for plan, matrix, rows, columns in zip(plans, cost, row_mask, column_mask, strict=True):
        if rows.any() and columns.any():
            plan[np.ix_(rows, columns)] = solve(np.float64(matrix[np.ix_(rows, columns)]))
    return plans


def normalize(x):
    return np.float64(x) / np.linalg.norm(np.float64(x), axis=-1, keepdims=True)


def squared_distances(x, y):
    return np.square(np.float64(x)[:, :, None] - np.float64(y)[:, None]).sum(axis=3)


def cosines(x, y):
    return normalize(x) @ normalize(y).transpose(0, 2, 1)


def average_by_plan(plan, value):
    total = plan.sum(axis=2, keepdims=True)
    weights = np.divide(plan, total, where=total > 0, out=np.zeros_like(plan))
    return weights @ np.float64(value)


def match_graphs(query, value, query_edges, value_edges, edge_weight, temperature, rounds):
    """The soft plan of one pair of graphs without padding, with four loops over the edges."""
    affinity = normalize(query) @ normalize(value).T
    rows, columns = affinity.shape
    length = [
        np.sqrt(np.square(np.float64(e)).sum(axis=(1, 2))) for e in (query_edges, value_edges)
    ]

    def normalize_plan(scores):
        """Sinkhorn, with a slack row or column for the rest of the larger graph."""
        padded = np.pad(scores, ((0, rows < columns), (0, columns < rows)))
        a, b = np.ones(padded.shape[0]), np.ones(padded.shape[1])
        if rows < columns:
            a[-1] = columns - rows
        if columns < rows:
            b[-1] = rows - columns
        return transport(-padded, temperature, None, a, b)[:rows, :columns]

    plan = normalize_plan(affinity)
    for _ in range(rounds):
        structure = np.zeros_like(plan)
        for i, j, k, m in np.ndindex(rows, columns, rows, columns):
            structure[i, j] += plan[k, m] * np.dot(query_edges[i, k], value_edges[j, m])
        structure /= length[0][:, None] * length[1]
        plan = normalize_plan(affinity + edge_weight * structure)
    return plan
