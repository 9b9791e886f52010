import keras


def is_concrete(tensor):
    """Returns whether a tensor's values can be read, which tracing and compilation prevent."""
    if keras.backend.is_keras_tensor(tensor):
        return False
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return not tf.is_symbolic_tensor(tensor)
    if backend == "jax":
        import jax

        return not isinstance(tensor, jax.core.Tracer)
    import torch

    return tensor.device.type != "meta" and not torch.compiler.is_compiling()
