import numpy as np
import pytest

from keras_mmfusion.models.export.in_slices import apply_in_slices

tf = pytest.importorskip("tensorflow")


@pytest.mark.parametrize("rows", [0, 1, 4, 5, 8, 9])
def test_sliced_results_equal_whole_batch(rows):
    def function(x, names):
        traces.append(x)
        return {"sums": tf.reduce_sum(x, axis=1), "names": tf.strings.upper(names)}

    traces = []
    sliced = tf.function(apply_in_slices(function, rows=4), autograph=False)
    x = np.arange(2.0 * rows, dtype="float32").reshape(rows, 2)
    names = np.array([f"row {i}" for i in range(rows)], dtype=object)
    result = sliced(tf.constant(x, shape=(rows, 2)), tf.constant(names, "string", (rows,)))
    np.testing.assert_array_equal(result["sums"], x.sum(axis=1))
    assert [each.decode() for each in result["names"].numpy()] == [f"ROW {i}" for i in range(rows)]
    assert len(traces) == 1  # Traced once for slices of all sizes.


def test_slices_limit_the_batch_size():
    def function(x):
        sizes.append(1)
        count = tf.shape(x)[0]
        with tf.control_dependencies([tf.debugging.assert_less_equal(count, 4)]):
            return {"x": tf.identity(x)}

    sizes = []
    sliced = tf.function(
        apply_in_slices(function, rows=4), input_signature=[tf.TensorSpec((None,), "int32")]
    )
    np.testing.assert_array_equal(sliced(tf.range(11))["x"], range(11))
    assert len(sizes) == 1
