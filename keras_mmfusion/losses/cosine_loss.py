import keras
from keras import ops

from keras_mmfusion._checks import check_fraction
from keras_mmfusion.losses.pair_loss import PairLoss, cosine_similarities, identity_like


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class CosineLoss(PairLoss):
    """Cosine loss: the cosine of a pair is pushed to 1, that of negatives below a margin.

    With `s_ij = cos(a_i, b_j)` and `n` pairs in the batch:

    ```
    loss_i = (1 - s_ii) + Σ_{j ≠ i} [s_ij - margin]₊ / (n - 1)
    ```

    Args:
        margin: float in [0, 1). Negatives with a cosine below it cost nothing.
        reduction: string, see `keras.losses.Loss`.
        name: string.

    Call arguments: see `PairLoss`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.losses import CosineLoss
    >>> image, text = np.eye(2), np.array([[1.0, 0.0], [1.0, 0.0]])
    >>> round(float(CosineLoss(margin=0.2)(image, text)), 4)
    0.9

    Reference:
        Salvador et al., "Learning Cross-modal Embeddings for Cooking Recipes and Food Images",
        2017, equation 1.
    """

    def __init__(self, margin=0.1, reduction="sum_over_batch_size", name="cosine", **kwargs):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.margin = check_fraction(self, "margin", margin)

    def pair_loss(self, a, b):
        similarities = cosine_similarities(a, b)
        negatives = 1.0 - identity_like(similarities)
        count = ops.maximum(ops.sum(negatives, axis=1), 1.0)
        excess = ops.sum(negatives * ops.relu(similarities - self.margin), axis=1) / count
        return 1.0 - ops.diagonal(similarities) + excess

    def get_config(self):
        return {**super().get_config(), "margin": self.margin}
