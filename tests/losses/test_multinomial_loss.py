import keras
import numpy as np
from layer_checks import to_numpy

from keras_mmfusion.losses import MultinomialLoss

RNG = np.random.default_rng(0)
COUNTS = RNG.integers(0, 2, (4, 6)).astype("float32")
SCORES = RNG.normal(size=(4, 6)).astype("float32")


def softmax(x):
    exponentials = np.exp(np.float64(x))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def test_loss_matches_numpy_reference():
    expected = -np.sum(COUNTS * np.log(softmax(SCORES)), axis=1)
    losses = MultinomialLoss(reduction=None)(COUNTS, SCORES)
    np.testing.assert_allclose(to_numpy(losses), expected, rtol=1e-5)


def test_gradient_step_matches_the_formula():
    """With counts that do not sum to 1, for which Keras's cross-entropy has another gradient."""

    class Scores(keras.layers.Layer):
        def build(self, shape):
            self.scores = self.add_weight(shape=(4, 6), name="scores")

        def call(self, x):
            return self.scores + 0.0 * x

    model = keras.Sequential([Scores()])
    model.build((4, 6))
    model.layers[0].scores.assign(SCORES)
    model.compile(keras.optimizers.SGD(0.01), MultinomialLoss(reduction="sum"), jit_compile=False)
    model.train_on_batch(np.zeros((4, 6), "float32"), COUNTS)
    gradient = COUNTS.sum(axis=1, keepdims=True) * softmax(SCORES) - COUNTS
    update = to_numpy(model.layers[0].scores) - SCORES
    np.testing.assert_allclose(update, -0.01 * gradient, rtol=1e-3, atol=1e-6)


def test_large_scores_do_not_overflow():
    loss = MultinomialLoss()(np.array([[1.0, 0.0]]), np.array([[-1e5, 1e5]]))
    assert float(loss) == 2e5
