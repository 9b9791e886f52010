import keras


def compiled_function(model, function):
    """Compiles a pure function of tensors that reads a model's weights.

    Args:
        model: `keras.Model` whose variables `function` reads and does not change.
        function: called with tensors; returns tensors.

    Returns:
        A function of the same arguments. On TensorFlow and JAX it is traced once for each shape
        of its arguments (on TensorFlow the batch size is left open); on PyTorch it runs eagerly,
        without gradients.
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        return _tensorflow_function(function)
    if backend == "jax":
        return _jax_function(model, function)
    return _torch_function(function)


def _tensorflow_function(function):
    import tensorflow as tf

    # Without AutoGraph: control flow is in `keras.ops`, and converting the source of every layer
    # would take longer than tracing it. Without `reduce_retracing`, which would trace inputs of
    # another rank, image tokens after images, with an unknown one.
    compiled = tf.function(function, autograph=False)
    traces = {}

    def run(*args):
        args = [tf.convert_to_tensor(x) for x in args]
        key = tuple((x.dtype, *x.shape[1:]) for x in args)
        if key not in traces:
            specs = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in args]
            traces[key] = compiled.get_concrete_function(*specs)
        return traces[key](*args)

    run.traces = traces
    return run


def _jax_function(model, function):
    import jax

    @jax.jit
    def compiled(values, *args):
        mapping = zip(model.variables, values, strict=True)
        with keras.StatelessScope(state_mapping=mapping):
            return function(*args)

    return lambda *args: compiled([v.value for v in model.variables], *args)


def _torch_function(function):
    import torch

    def run(*args):
        with torch.no_grad():
            return function(*(keras.ops.convert_to_tensor(x) for x in args))

    return run
