"""Questions about images with answers, and their `tf.data` pipeline."""
