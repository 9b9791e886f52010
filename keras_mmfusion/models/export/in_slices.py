"""Graph functions that process a batch in slices, to limit memory."""

from keras_mmfusion.models.export.saved_model_folder import trace


def apply_in_slices(function, rows):
    """Wraps a function of batches so that it is called on at most `rows` rows at a time.

    Args:
        function: maps tensors `(batch, ...)` to a dict of tensors `(batch, ...)` in TensorFlow
            graphs. It is never called on an empty batch.
        rows: int. Maximum number of rows of a call.

    Returns:
        A function of the same arguments.
    """
    import tensorflow as tf

    def sliced(*inputs):
        count = tf.shape(inputs[0])[0]
        inputs = [_pad_empty_batch(x) for x in inputs]
        slices = -(-tf.shape(inputs[0])[0] // rows)
        specs = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in inputs]
        part = trace(function, specs)
        arrays = {
            name: tf.TensorArray(spec.dtype, slices, element_shape=spec.shape, infer_shape=False)
            for name, spec in part.structured_outputs.items()
        }

        def write(index, arrays):
            values = part(*(x[index * rows : (index + 1) * rows] for x in inputs))
            return index + 1, {n: array.write(index, values[n]) for n, array in arrays.items()}

        _, arrays = tf.while_loop(
            lambda index, arrays: index < slices,
            write,
            (tf.constant(0), arrays),
            parallel_iterations=1,
        )
        return {name: array.concat()[:count] for name, array in arrays.items()}

    return sliced


def _pad_empty_batch(x):
    import tensorflow as tf

    shape = tf.shape(x)
    missing = tf.maximum(1 - shape[:1], 0)
    blank = tf.zeros(tf.concat([missing, shape[1:]], axis=0), x.dtype)
    return tf.ensure_shape(tf.concat([x, blank], axis=0), (None, *x.shape[1:]))
