"""Export of recommenders as SavedModels for TensorFlow Serving."""

from keras import ops

from keras_mmfusion.models.export.tensor_export import export_tensors


def export_recommender(model, folder, k=20, manifest=None):
    """Writes the next version of a recommender. See `Recommender.export`.

    Args:
        model: adapted `Recommender`.
        folder, k, manifest: see `Recommender.export`.

    Returns:
        The path of the new version.
    """
    import tensorflow as tf

    users, items = ops.convert_to_numpy(model.interaction_index)
    order = users.argsort(kind="stable")
    seen = tf.RaggedTensor.from_value_rowids(items[order], users[order], nrows=model.num_users)

    def recommend(inputs):
        scores = model({"users": inputs["users"]})
        seen_items = tf.gather(seen, inputs["users"])
        rows = tf.cast(seen_items.value_rowids(), "int32")
        indices = tf.stack([rows, seen_items.values], axis=1)
        lowest = tf.fill(tf.shape(rows), tf.constant(float("-inf"), scores.dtype))
        scores, items = tf.math.top_k(tf.tensor_scatter_nd_update(scores, indices, lowest), k)
        return {"items": items, "scores": scores}

    specs = {"users": tf.TensorSpec((None,), "int32")}
    return export_tensors(model, {"serving_default": recommend}, specs, folder, manifest)
