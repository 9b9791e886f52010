"""Readers of videos, their sampling, and `tf.data` pipelines of them."""
