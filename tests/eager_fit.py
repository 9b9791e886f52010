"""Training without compilation on TensorFlow."""

import contextlib

import keras
import pytest


@contextlib.contextmanager
def fit_eagerly():
    """Context manager in which `fit`, `evaluate` and `predict` run eagerly on TensorFlow.

    TensorFlow traces and compiles a small model for seconds, and runs its step in milliseconds.
    JAX also compiles single operations, so there it compiles the step, as it does for users.
    """
    with pytest.MonkeyPatch.context() as patch:
        if keras.config.backend() == "tensorflow":
            eager = property(lambda model: True, lambda model, value: None)
            patch.setattr("keras.src.trainers.trainer.Trainer.run_eagerly", eager)
        yield
