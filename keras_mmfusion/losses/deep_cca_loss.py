import keras
from keras import ops

from keras_mmfusion._checks import check_integer, check_positive
from keras_mmfusion.losses.pair_loss import PairLoss, broadcast_to_pairs, center, covariance


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class DeepCCALoss(PairLoss):
    """Deep canonical correlation analysis: the negative sum of the canonical correlations.

    With the covariance matrices `S_ab` of the batch, and `S_aa`, `S_bb` with `r` added to their
    diagonals:

    ```
    loss = - Σ_k σ_k(S_aa^-½ S_ab S_bb^-½)
    ```

    σ_k are singular values. Inverse Cholesky factors replace the inverse square roots: they give
    the same singular values, and their gradients stay finite.

    The batch must be much larger than the number of dims: with as many dims as samples, all
    correlations are 1. The loss is invariant to linear maps of either side, so cosines are
    meaningless before a projection to the canonical directions; see
    `keras_mmfusion.models.retrieval.canonical_projections`.

    Args:
        regularization: float, the `r` above.
        components: int or `None`. Number of largest correlations to sum; `None` sums all.
        reduction: string, see `keras.losses.Loss`.
        name: string.

    Call arguments: see `PairLoss`; the dims may differ.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.losses import DeepCCALoss
    >>> image = np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> text = image @ [[1.0, 2.0], [0.0, 1.0]]
    >>> round(float(DeepCCALoss(regularization=1e-6)(image, text)), 3)
    -2.0

    Reference:
        Andrew et al., "Deep Canonical Correlation Analysis", 2013, section 3, equation 10.
    """

    compares_dims = False

    def __init__(
        self,
        regularization=1e-4,
        components=None,
        reduction="sum_over_batch_size",
        name="deep_cca",
        **kwargs,
    ):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.regularization = check_positive(self, "regularization", regularization)
        if components is not None:
            components = check_integer(self, "components", components)
        self.components = components

    def pair_loss(self, a, b):
        a, b = center(a), center(b)
        half = ops.solve_triangular(self._factorize(a), covariance(a, b), lower=True)
        whitened = ops.solve_triangular(self._factorize(b), ops.transpose(half), lower=True)
        correlations = ops.svd(whitened, compute_uv=False)
        return broadcast_to_pairs(-ops.sum(correlations[: self.components]), a)

    def _factorize(self, x):
        ridge = self.regularization * ops.eye(x.shape[1], dtype="float32")
        return ops.cholesky(covariance(x, x) + ridge)

    def get_config(self):
        return {
            **super().get_config(),
            "regularization": self.regularization,
            "components": self.components,
        }
