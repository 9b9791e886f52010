"""A warning where half precision costs time instead of saving it."""

import functools
import warnings

import keras


def warn_of_slow_float16(policy):
    """Warns, once, of float16 on a CPU under TensorFlow, which computes it without fast kernels.

    Args:
        policy: `keras.DTypePolicy` or the name of one.
    """
    policy = keras.dtype_policies.get(policy)
    if policy.compute_dtype == "float16" and keras.config.backend() == "tensorflow":
        _warn_on_cpu()


@functools.cache
def _warn_on_cpu():
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        warnings.warn(
            "TensorFlow computes float16 on a CPU many times slower than float32. Without a GPU, "
            "choose 'mixed_bfloat16' or 'float32' instead of 'mixed_float16'.",
            stacklevel=4,
        )
