"""The log-probability of the tokens that are explained."""

from keras import ops


def sum_log_probs(logits, constants):
    """Sums the log-probabilities of the target ids that have a weight.

    Args:
        logits: tensor `(batch, tokens, vocabulary_size)`.
        constants: dict of `"target_ids"` and `"target_weights"`, tensors `(1, tokens)`.

    Returns:
        Float32 tensor `(batch,)`.
    """
    log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    targets = ops.cast(constants["target_ids"], "int32")
    targets = ops.broadcast_to(targets, ops.shape(log_probs)[:2])
    log_probs = ops.take_along_axis(log_probs, targets[:, :, None], axis=-1)[:, :, 0]
    return ops.sum(log_probs * constants["target_weights"], axis=1)
