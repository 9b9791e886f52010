"""Images with captions or region descriptions, and their `tf.data` pipelines."""
