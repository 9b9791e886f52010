import keras
from keras import ops

from keras_mmfusion._checks import check_positive
from keras_mmfusion.layers.alignment.alignment import Alignment
from keras_mmfusion.layers.alignment.soft_dtw import solve_soft_dtw


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SoftDTWAlignment(Alignment):
    """Aligns two sequences of the same events in the same order, at different speeds.

    ```
    C_ij = ‖query_i W_q - value_j W_v‖²
    plan = E[path],   p(path) ∝ exp(-<C, path> / γ)
    aligned_i = Σ_j plan_ij value_j / Σ_j plan_ij
    ```

    over all monotonic paths from the first pair of tokens to the last; `plan_ij` is the
    probability that the pair is on the path.

    Args:
        projection_dim: int or `None`, see `Alignment`.
        gamma: positive float, `γ`, in the unit of the costs. As it approaches 0, the plan becomes
            the path of dynamic time warping.

    Call arguments, output shape and errors: see `Alignment`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.alignment import SoftDTWAlignment
    >>> speech, video = np.random.rand(2, 50, 80), np.random.rand(2, 12, 512)
    >>> aligned, plan = SoftDTWAlignment(projection_dim=16)(speech, video)
    >>> tuple(aligned.shape), tuple(plan.shape)
    ((2, 50, 512), (2, 50, 12))

    Reference:
        Cuturi and Blondel, "Soft-DTW: a Differentiable Loss Function for Time-Series", 2017,
        section 2; see `solve_soft_dtw` for the solver.
    """

    def __init__(self, projection_dim=None, gamma=1.0, **kwargs):
        super().__init__(projection_dim, **kwargs)
        self.gamma = check_positive(type(self).__name__, "gamma", gamma)

    def make_plan(self, query, value, query_mask, value_mask):
        query, value = self.project(query, value)
        squares = [ops.sum(ops.square(x), axis=2) for x in (query, value)]
        products = ops.matmul(query, ops.transpose(value, (0, 2, 1)))
        cost = ops.expand_dims(squares[0], 2) + ops.expand_dims(squares[1], 1) - 2 * products
        _, plan = solve_soft_dtw(cost, self.gamma, query_mask, value_mask)
        return plan

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma}
