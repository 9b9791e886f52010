import keras
from keras import ops


class PairLoss(keras.losses.Loss):
    """Base class of losses between the embeddings of two modalities.

    Row `i` of one batch and row `i` of the other are a pair; all other rows are negatives. A
    subclass implements `pair_loss(a, b)`.

    A loss has one value per pair, so the default reduction, the mean, gives the paper's formula,
    and `sample_weight` weights pairs. A statistic of the whole batch is repeated for every pair.
    Everything is computed in float32.

    A loss with weights, such as a temperature, holds them in the layer `logit_scale`, which
    `ContrastiveModel` trains and saves. In another model, assign the layer to an attribute:
    `model.logit_scale = loss.logit_scale`.

    Args:
        reduction: string, see `keras.losses.Loss`.
        name: string.

    Call arguments:
        y_true: float tensor `(batch, dim)`, embeddings of one modality.
        y_pred: float tensor `(batch, dim)`, embeddings of the other. `DeepCCALoss` allows
            different dims.
        sample_weight: float tensor `(batch,)`.

    Raises:
        ValueError: if the shapes are not `(batch, dim)`, or differ.
    """

    # The layer that holds the loss's weights, if it has any.
    logit_scale = None
    # Whether both embeddings must have the same dim.
    compares_dims = True

    def __init__(self, reduction="sum_over_batch_size", name=None, **kwargs):
        super().__init__(reduction=reduction, name=name, **{"dtype": "float32", **kwargs})

    def pair_loss(self, a, b):
        """The formula: `(batch,)` from two float32 tensors `(batch, dim)`."""
        raise NotImplementedError(f"{type(self).__name__} must implement `pair_loss`.")

    def match_probabilities(self, similarities):
        """The probabilities that rows match columns, for losses that define them.

        Args:
            similarities: float32 tensor `(rows, columns)`, cosine similarities.

        Returns:
            Tensor `(rows, columns)`.
        """
        raise ValueError(f"{type(self).__name__} defines no probabilities of matches.")

    def call(self, y_true, y_pred):
        first, second = tuple(y_true.shape), tuple(y_pred.shape)
        compared = slice(None) if self.compares_dims else slice(1)
        sizes = zip(first[compared], second[compared], strict=False)
        differ = any(None not in pair and pair[0] != pair[1] for pair in sizes)
        if len(first) != 2 or len(second) != 2 or differ:
            same = "the same shape" if self.compares_dims else "the same batch size"
            raise ValueError(
                f"{type(self).__name__}: `y_true` and `y_pred` must be embeddings (batch, dim) "
                f"with {same}. Received shapes: {first} and {second}. Pool tokens and project "
                "both modalities to a shared space first."
            )
        return self.pair_loss(y_true, y_pred)


def cosine_similarities(a, b):
    """Cosine of every row of `a` with every row of `b`; 0 for rows of zeros.

    Args:
        a, b: float tensors `(rows, dim)`.

    Returns:
        Tensor `(rows of a, rows of b)`.
    """
    return ops.matmul(ops.normalize(a, axis=-1), ops.transpose(ops.normalize(b, axis=-1)))


def identity_like(matrix):
    """Identity matrix of the shape of a square matrix, in float32."""
    return ops.eye(ops.shape(matrix)[0], dtype="float32")


def broadcast_to_pairs(value, batch):
    """Repeats a scalar for every row of `batch`."""
    return ops.broadcast_to(value, (ops.shape(batch)[0],))


def covariance(a, b):
    """`aᵀ b / (n - 1)` of centered batches: `(dim of a, dim of b)`."""
    rows = ops.cast(ops.shape(a)[0], "float32")
    return ops.matmul(ops.transpose(a), b) / ops.maximum(rows - 1.0, 1.0)


def center(x):
    """Subtracts the mean over the batch."""
    return x - ops.mean(x, axis=0, keepdims=True)
