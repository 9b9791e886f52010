import keras
from keras import ops


class PairLoss(keras.losses.Loss):
    """What the losses share that tie the embeddings of two modalities, row by row.

    Row `i` of one batch belongs to row `i` of the other; all other rows are strangers. A loss of
    your own implements `pair_loss(a, b)`.

    Each loss is one value a pair, so the default reduction, the mean, gives the formula as its
    paper has it, and a `sample_weight` weighs pairs; statistics over the batch count for every
    pair alike. Everything is computed in float32.

    Losses with weights of their own, such as a temperature, hold them in the layer
    `logit_scale`; `ContrastiveModel` trains and saves it. In a model of yours, assign the layer to
    an attribute, `model.logit_scale = loss.logit_scale`.

    Args:
        reduction: string, see `keras.losses.Loss`.
        name: string.

    Call arguments:
        y_true: float tensor `(batch, dim)`, embeddings of one modality.
        y_pred: float tensor `(batch, dim)`, embeddings of the other. The dims may differ where a
            loss does not compare them (`DeepCCALoss`).
        sample_weight: float tensor `(batch,)`.

    Raises:
        ValueError: if the two are not batches of as many vectors of one dim.
    """

    # A layer with the loss's weights, or `None`.
    logit_scale = None
    compares_dims = True

    def __init__(self, reduction="sum_over_batch_size", name=None, **kwargs):
        super().__init__(reduction=reduction, name=name, **{"dtype": "float32", **kwargs})

    def pair_loss(self, a, b):
        """The formula: `(batch,)` from two float32 tensors `(batch, dim)`."""
        raise NotImplementedError(f"{type(self).__name__} must implement `pair_loss`.")

    def call(self, y_true, y_pred):
        first, second = tuple(y_true.shape), tuple(y_pred.shape)
        compared = slice(None) if self.compares_dims else slice(1)
        known = zip(first[compared], second[compared], strict=False)
        differ = any(None not in pair and pair[0] != pair[1] for pair in known)
        if len(first) != 2 or len(second) != 2 or differ:
            raise ValueError(
                f"{type(self).__name__}: `y_true` and `y_pred` must be embeddings (batch, dim) of "
                f"as many samples{' and one dim' if self.compares_dims else ''}. Received shapes: "
                f"{first} and {second}. Pool tokens, and project to a shared space, first."
            )
        return self.pair_loss(y_true, y_pred)

    def check_number(self, name, value, positive=True):
        """`value` if it is a number (above 0), else an error that names the argument."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or (positive and value <= 0) or value < 0:
            above = "above 0" if positive else "of at least 0"
            raise ValueError(
                f"{type(self).__name__}: `{name}` must be a number {above}. Received: {value!r}"
            )
        return value


def cosine_similarities(a, b):
    """`(rows of a, rows of b)`: the cosine of every pair of rows; 0 where a row is zeros."""
    return ops.matmul(ops.normalize(a, axis=-1), ops.transpose(ops.normalize(b, axis=-1)))


def own_pairs(similarities):
    """The identity as float32, of the similarities' shape."""
    return ops.eye(ops.shape(similarities)[0], dtype="float32")


def every_pair(value, batch):
    """One value of the whole batch as `(batch,)`, one for each row."""
    return ops.broadcast_to(value, (ops.shape(batch)[0],))


def covariance(a, b):
    """`aᵀ b / (n - 1)` of centred batches: `(dim of a, dim of b)`."""
    rows = ops.cast(ops.shape(a)[0], "float32")
    return ops.matmul(ops.transpose(a), b) / ops.maximum(rows - 1.0, 1.0)


def centred(x):
    """`x` less its mean over the batch."""
    return x - ops.mean(x, axis=0, keepdims=True)
