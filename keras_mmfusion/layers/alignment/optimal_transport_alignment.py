import keras
from keras import ops

from keras_mmfusion._checks import check_positive
from keras_mmfusion.layers.alignment.alignment import Alignment, normalize_vectors
from keras_mmfusion.layers.alignment.optimal_transport import solve_optimal_transport


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class OptimalTransportAlignment(Alignment):
    """Aligns two sets of tokens by entropic optimal transport.

    ```
    C_ij = 1 - cos(query_i W_q, value_j W_v)
    plan = argmin_P  <C, P> + ε KL(P | a bᵀ),   P 1 = a,  Pᵀ 1 = b
    aligned_i = Σ_j plan_ij value_j / Σ_j plan_ij
    ```

    with `a` and `b` uniform over the unmasked tokens. Unlike in attention, every value token gets
    the same total weight. With a `marginal_penalty` the sums of the plan may differ from `a` and
    `b`, so that tokens without a counterpart get less weight; see `solve_optimal_transport`.

    Args:
        projection_dim: int or `None`, see `Alignment`.
        regularization: positive float, `ε`: the smaller, the sharper the plan, and the more
            iterations it needs. The costs are between 0 and 2.
        marginal_penalty: positive float or `None`, see above.

    Call arguments, output shape and errors: see `Alignment`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.alignment import OptimalTransportAlignment
    >>> text, image = np.random.rand(2, 5, 32), np.random.rand(2, 49, 1280)
    >>> aligned, plan = OptimalTransportAlignment(projection_dim=16)(text, image)
    >>> tuple(aligned.shape), tuple(plan.shape)
    ((2, 5, 1280), (2, 5, 49))

    Reference:
        Chen et al., "Graph Optimal Transport for Cross-Domain Alignment", 2020, section 2.2; see
        `solve_optimal_transport` for the solver.
    """

    def __init__(self, projection_dim=None, regularization=0.1, marginal_penalty=None, **kwargs):
        super().__init__(projection_dim, **kwargs)
        caller = type(self).__name__
        self.regularization = check_positive(caller, "regularization", regularization)
        if marginal_penalty is not None:
            marginal_penalty = check_positive(caller, "marginal_penalty", marginal_penalty)
        self.marginal_penalty = marginal_penalty

    def make_plan(self, query, value, query_mask, value_mask):
        query, value = (normalize_vectors(x) for x in self.project(query, value))
        cost = 1.0 - ops.matmul(query, ops.transpose(value, (0, 2, 1)))
        _, plan = solve_optimal_transport(
            cost,
            self.regularization,
            self.marginal_penalty,
            row_mask=query_mask,
            column_mask=value_mask,
        )
        return plan

    def get_config(self):
        return {
            **super().get_config(),
            "regularization": self.regularization,
            "marginal_penalty": self.marginal_penalty,
        }
