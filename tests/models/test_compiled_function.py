import keras
import numpy as np

from keras_mmfusion.models.compiled_function import compile_function


def test_compiled_function_with_inputs_of_different_rank():
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    ranks = []

    def function(x):
        ranks.append(len(x.shape))
        return layer(x)

    compiled = compile_function(layer, function)
    for shape in ((2, 4, 4, 3), (2, 4, 3)):
        assert tuple(compiled(np.zeros(shape, "float32")).shape) == (*shape[:-1], 2)
    assert set(ranks) == {3, 4}
