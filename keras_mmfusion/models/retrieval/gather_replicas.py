import keras


def gather_replicas(tensor):
    """The rows of all replicas, in the order of the replicas, with gradients to each.

    On TensorFlow, the replicas of a `tf.distribute` strategy. On JAX, under
    `keras.distribution`, a batch is one array over all devices, and already has all rows.

    Args:
        tensor: tensor `(batch of the replica, ...)`.

    Returns:
        Tensor `(batch of all replicas, ...)`; outside a replica, `tensor` itself.
    """
    if keras.config.backend() != "tensorflow":
        return tensor
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tensor
    gathered = context.all_gather(tensor, axis=0)
    return tf.ensure_shape(gathered, (None, *tensor.shape[1:]))
