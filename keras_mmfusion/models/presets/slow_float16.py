"""A warning about slow float16 computation on CPUs."""

import functools
import warnings

import keras


def warn_of_slow_float16(policy):
    """Warns once about float16 on a CPU with TensorFlow, which has no fast kernels for it.

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
            "use 'mixed_bfloat16' or 'float32' instead of 'mixed_float16'.",
            stacklevel=4,
        )
