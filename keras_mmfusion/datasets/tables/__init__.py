"""Tables with a column for each modality, and their `tf.data` pipeline."""
