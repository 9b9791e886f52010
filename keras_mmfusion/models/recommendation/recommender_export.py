"""A recommender as a SavedModel, for TensorFlow Serving."""

from keras import ops

from keras_mmfusion.models.export.tensor_export import export_tensors


def export_recommender(model, folder, k, manifest=None):
    """The work of `Recommender.export`; see there."""
    import tensorflow as tf

    users, items = ops.convert_to_numpy(model.taken)
    order = users.argsort(kind="stable")
    taken = tf.RaggedTensor.from_value_rowids(items[order], users[order], nrows=model.num_users)

    def best(inputs):
        scores = model({"users": inputs["users"]})
        of_users = tf.gather(taken, inputs["users"])
        cells = tf.stack([tf.cast(of_users.value_rowids(), "int32"), of_users.values], axis=1)
        lowest = tf.fill(tf.shape(cells)[:1], tf.constant(float("-inf"), scores.dtype))
        scores, places = tf.math.top_k(tf.tensor_scatter_nd_update(scores, cells, lowest), k)
        return {"items": places, "scores": scores}

    specs = {"users": tf.TensorSpec((None,), "int32")}
    return export_tensors(model, {"serving_default": best}, specs, folder, manifest)
