import keras
from keras import ops

from keras_mmfusion._checks import check_positive
from keras_mmfusion.losses.pair_loss import PairLoss, cosine_similarities, identity_like


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class HardTripletLoss(PairLoss):
    """Triplet loss with the hardest negative of the batch, in both directions (VSE++).

    With `s_ij = cos(a_i, b_j)`:

    ```
    loss_i = max_{j ≠ i} [margin + s_ij - s_ii]₊ + max_{j ≠ i} [margin + s_ji - s_ii]₊
    ```

    Args:
        margin: float, the margin above.
        reduction: string, see `keras.losses.Loss`. The paper uses `"sum"`.
        name: string.

    Call arguments: see `PairLoss`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.losses import HardTripletLoss
    >>> image, text = np.eye(2), np.array([[1.0, 0.0], [1.0, 0.0]])
    >>> round(float(HardTripletLoss(margin=0.2)(image, text)), 4)
    0.8

    Reference:
        Faghri et al., "VSE++: Improving Visual-Semantic Embeddings with Hard Negatives", 2018,
        equation 6.
    """

    def __init__(self, margin=0.2, reduction="sum_over_batch_size", name="hard_triplet", **kwargs):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.margin = check_positive(self, "margin", margin)

    def pair_loss(self, a, b):
        hinges = compute_hinges(cosine_similarities(a, b), self.margin)
        return sum(ops.max(hinge, axis=1) for hinge in hinges)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin}


def compute_hinges(similarities, margin):
    """`[margin + s_ij - s_ii]₊` and `[margin + s_ji - s_ii]₊`, zero for `i = j`."""
    negatives = 1.0 - identity_like(similarities)
    positives = ops.expand_dims(ops.diagonal(similarities), 1)
    return [
        negatives * ops.relu(margin + scores - positives)
        for scores in (similarities, ops.transpose(similarities))
    ]
