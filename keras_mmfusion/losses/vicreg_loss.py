import keras
from keras import ops

from keras_mmfusion._checks import check_non_negative, check_positive
from keras_mmfusion.losses.pair_loss import PairLoss, broadcast_to_pairs, center, covariance


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class VICRegLoss(PairLoss):
    """VICReg: pairs agree, and the dims of an embedding vary and are uncorrelated.

    With `C(x)` the covariance matrix of a batch, `d` dims:

    ```
    s_i  = ‖a_i - b_i‖² / d
    v(x) = Σ_k [1 - √(C(x)_kk + ε)]₊ / d
    c(x) = Σ_{k ≠ l} C(x)_kl² / d
    loss_i = λ s_i + μ (v(a) + v(b)) + ν (c(a) + c(b))
    ```

    It needs no negatives, and compares the embeddings themselves, not their directions.

    Args:
        invariance: float, the λ above.
        variance: float, the μ above.
        covariance: float, the ν above.
        epsilon: float, the ε above.
        reduction: string, see `keras.losses.Loss`.
        name: string.

    Call arguments: see `PairLoss`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.losses import VICRegLoss
    >>> image = text = np.zeros((4, 8))
    >>> round(float(VICRegLoss(variance=25.0, epsilon=0.0001)(image, text)), 3)
    49.5

    Reference:
        Bardes et al., "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised
        Learning", 2022, equations 1 to 6; the distance is the mean over dims, as in its
        algorithm 1.
    """

    def __init__(
        self,
        invariance=25.0,
        variance=25.0,
        covariance=1.0,
        epsilon=1e-4,
        reduction="sum_over_batch_size",
        name="vic_reg",
        **kwargs,
    ):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.invariance = check_non_negative(self, "invariance", invariance)
        self.variance = check_non_negative(self, "variance", variance)
        self.covariance = check_non_negative(self, "covariance", covariance)
        self.epsilon = check_positive(self, "epsilon", epsilon)

    def pair_loss(self, a, b):
        distance = ops.mean(ops.square(a - b), axis=1)
        regularization = self._regularize(a) + self._regularize(b)
        return self.invariance * distance + broadcast_to_pairs(regularization, a)

    def _regularize(self, x):
        """`μ v(x) + ν c(x)`."""
        x = center(x)
        matrix = covariance(x, x)
        variances = ops.diagonal(matrix)
        dims = x.shape[1]
        variance = ops.sum(ops.relu(1.0 - ops.sqrt(variances + self.epsilon))) / dims
        off_diagonal = (ops.sum(ops.square(matrix)) - ops.sum(ops.square(variances))) / dims
        return self.variance * variance + self.covariance * off_diagonal

    def get_config(self):
        return {
            **super().get_config(),
            "invariance": self.invariance,
            "variance": self.variance,
            "covariance": self.covariance,
            "epsilon": self.epsilon,
        }
