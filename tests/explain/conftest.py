"""What several tests of explanations use."""

import keras
import pytest


@pytest.fixture
def eager(request):
    """Runs functions of TensorFlow eagerly: tracing takes longer than the few calls of a test."""
    if keras.config.backend() != "tensorflow" or "compiled" in request.fixturenames:
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
