import keras


def gather_replicas(tensor):
    """Gathers the rows of all replicas, in order; gradients flow to each replica.

    On TensorFlow, these are the replicas of a `tf.distribute` strategy. On JAX, with
    `keras.distribution`, a batch is one array over all devices, which already has all rows.

    Args:
        tensor: tensor `(replica_batch, ...)`.

    Returns:
        Tensor `(global_batch, ...)`; outside a replica, `tensor` itself.
    """
    if keras.config.backend() != "tensorflow":
        return tensor
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tensor
    gathered = context.all_gather(tensor, axis=0)
    return tf.ensure_shape(gathered, (None, *tensor.shape[1:]))
