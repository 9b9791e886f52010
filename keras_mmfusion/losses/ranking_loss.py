import keras
from keras import ops

from keras_mmfusion._checks import check_positive
from keras_mmfusion.losses.hard_triplet_loss import compute_hinges
from keras_mmfusion.losses.pair_loss import PairLoss, cosine_similarities


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class RankingLoss(PairLoss):
    """Ranking loss: a margin to every negative of the batch, in both directions.

    With `s_ij = cos(a_i, b_j)`:

    ```
    loss_i = Σ_{j ≠ i} [margin + s_ij - s_ii]₊ + Σ_{j ≠ i} [margin + s_ji - s_ii]₊
    ```

    Args:
        margin: float, the margin above.
        reduction: string, see `keras.losses.Loss`. The paper uses `"sum"`.
        name: string.

    Call arguments: see `PairLoss`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.losses import RankingLoss
    >>> image, text = np.eye(3), np.eye(3)[[0, 0, 0]]
    >>> round(float(RankingLoss(margin=0.2)(image, text)), 4)
    1.3333

    Reference:
        Kiros et al., "Unifying Visual-Semantic Embeddings with Multimodal Neural Language
        Models", 2014, section 2.2.
    """

    def __init__(self, margin=0.2, reduction="sum_over_batch_size", name="ranking", **kwargs):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.margin = check_positive(self, "margin", margin)

    def pair_loss(self, a, b):
        hinges = compute_hinges(cosine_similarities(a, b), self.margin)
        return sum(ops.sum(hinge, axis=1) for hinge in hinges)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin}
