import keras
import numpy as np
from layer_checks import to_numpy

from keras_mmfusion.losses import MultinomialLoss

RNG = np.random.default_rng(0)
TAKEN = RNG.integers(0, 2, (4, 6)).astype("float32")
SCORES = RNG.normal(size=(4, 6)).astype("float32")


def softmax(x):
    shares = np.exp(np.float64(x))
    return shares / shares.sum(axis=1, keepdims=True)


def test_it_is_the_formula():
    expected = -np.sum(TAKEN * np.log(softmax(SCORES)), axis=1)
    found = MultinomialLoss(reduction=None)(TAKEN, SCORES)
    np.testing.assert_allclose(to_numpy(found), expected, rtol=1e-5)


def test_a_step_goes_along_the_formulas_gradient():
    """Of counts that do not add up to 1, where Keras's own cross-entropy takes another way."""

    class Scores(keras.layers.Layer):
        def build(self, shape):
            self.scores = self.add_weight(shape=(4, 6), name="scores")

        def call(self, x):
            return self.scores + 0.0 * x

    model = keras.Sequential([Scores()])
    model.build((4, 6))
    model.layers[0].scores.assign(SCORES)
    model.compile(keras.optimizers.SGD(0.01), MultinomialLoss(reduction="sum"), jit_compile=False)
    model.train_on_batch(np.zeros((4, 6), "float32"), TAKEN)
    gradient = TAKEN.sum(axis=1, keepdims=True) * softmax(SCORES) - TAKEN
    moved = to_numpy(model.layers[0].scores) - SCORES
    np.testing.assert_allclose(moved, -0.01 * gradient, rtol=1e-3, atol=1e-6)


def test_large_scores_do_not_overflow():
    loss = MultinomialLoss()(np.array([[1.0, 0.0]]), np.array([[-1e5, 1e5]]))
    assert float(loss) == 2e5
