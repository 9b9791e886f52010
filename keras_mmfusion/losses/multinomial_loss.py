import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class MultinomialLoss(keras.losses.Loss):
    """Negative log-likelihood of a user's interactions, under a softmax over all items.

    ```
    loss_u = - Σ_i y_ui log softmax(s_u)_i
    ```

    Keras's `CategoricalCrossentropy` requires `y_u` to sum to 1: otherwise its gradient on
    TensorFlow is not that of this formula.

    Args:
        reduction: string, see `keras.losses.Loss`.
        name: string.

    Call arguments:
        y_true: tensor `(batch, items)`, the user's number of interactions with each item.
        y_pred: float tensor `(batch, items)`, scores.
        sample_weight: float tensor `(batch,)`.

    Example:

    >>> from keras_mmfusion.losses import MultinomialLoss
    >>> round(float(MultinomialLoss()([[1.0, 1.0]], [[0.0, 0.0]])), 4)  # 2 log 2
    1.3863

    Reference:
        Liang et al., "Variational Autoencoders for Collaborative Filtering", 2018, equation 2.
    """

    def __init__(self, reduction="sum_over_batch_size", name="multinomial", **kwargs):
        super().__init__(reduction=reduction, name=name, **{"dtype": "float32", **kwargs})

    def call(self, y_true, y_pred):
        log_probs = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        return -ops.sum(ops.cast(y_true, "float32") * log_probs, axis=-1)
