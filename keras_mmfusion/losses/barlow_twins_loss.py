import keras
from keras import ops

from keras_mmfusion._checks import check_non_negative, check_positive
from keras_mmfusion.losses.pair_loss import PairLoss, broadcast_to_pairs, center


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class BarlowTwinsLoss(PairLoss):
    """Barlow Twins: matching dims of the two embeddings correlate, other dims do not.

    With `C` the correlation matrix of the dims of `a` with those of `b` over the batch:

    ```
    loss = Σ_k (1 - C_kk)² + λ Σ_{k ≠ l} C_kl²
    ```

    It needs no negatives, and compares the embeddings themselves, not their directions.

    Args:
        off_diagonal: float, the λ above.
        epsilon: float. Added to each variance, so that constant dims are finite.
        reduction: string, see `keras.losses.Loss`.
        name: string.

    Call arguments: see `PairLoss`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.losses import BarlowTwinsLoss
    >>> image = text = np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> round(float(BarlowTwinsLoss(epsilon=1e-6)(image, text)), 4)
    0.0

    Reference:
        Zbontar et al., "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", 2021,
        equations 1 and 2.
    """

    def __init__(
        self,
        off_diagonal=0.005,
        epsilon=1e-5,
        reduction="sum_over_batch_size",
        name="barlow_twins",
        **kwargs,
    ):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.off_diagonal = check_non_negative(self, "off_diagonal", off_diagonal)
        self.epsilon = check_positive(self, "epsilon", epsilon)

    def pair_loss(self, a, b):
        rows = ops.cast(ops.shape(a)[0], "float32")
        matrix = ops.matmul(ops.transpose(self._standardize(a)), self._standardize(b)) / rows
        diagonal = ops.diagonal(matrix)
        others = ops.sum(ops.square(matrix)) - ops.sum(ops.square(diagonal))
        loss = ops.sum(ops.square(1.0 - diagonal)) + self.off_diagonal * others
        return broadcast_to_pairs(loss, a)

    def _standardize(self, x):
        x = center(x)
        return x * ops.rsqrt(ops.mean(ops.square(x), axis=0, keepdims=True) + self.epsilon)

    def get_config(self):
        return {
            **super().get_config(),
            "off_diagonal": self.off_diagonal,
            "epsilon": self.epsilon,
        }
