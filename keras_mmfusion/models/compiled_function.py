import keras

LARGE_DIM = 512


def compile_function(model, function, jit_compile=False):
    """Compiles a pure function of tensors that reads a model's weights.

    Args:
        model: `keras.Model` whose variables `function` reads and does not change.
        function: called with tensors; returns tensors.
        jit_compile: bool. Whether TensorFlow compiles by XLA.

    Returns:
        A function of the same arguments. On TensorFlow and JAX it is traced once for each shape
        of its arguments (without XLA, TensorFlow leaves the batch size open); on PyTorch it runs
        eagerly, without gradients.
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        return _tensorflow_function(function, jit_compile)
    if backend == "jax":
        return _jax_function(model, function)
    return _torch_function(function)


def is_faster_with_xla(dim):
    """Whether TensorFlow decodes tokens of size `dim` faster with XLA on this machine.

    On a CPU, XLA avoids the overhead of operations, which dominates for small matrices, but
    multiplies large ones more slowly than oneDNN; in bfloat16 half as fast.
    """
    return dim < LARGE_DIM or keras.config.backend() != "tensorflow" or _has_gpu()


def resolve_jit_compile(jit_compile):
    """Returns the argument of `keras.Model.compile`: without XLA if TensorFlow trains on a CPU.

    On a CPU, the convolutions of image encoders are many times slower with XLA. Only `"auto"` is
    resolved.
    """
    if jit_compile != "auto" or keras.config.backend() != "tensorflow" or _has_gpu():
        return jit_compile
    return False


def _has_gpu():
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def _tensorflow_function(function, jit_compile):
    import tensorflow as tf

    # No AutoGraph: control flow uses `keras.ops`, and converting the source code of all layers
    # takes longer than tracing them. No `reduce_retracing`: it generalizes inputs of different
    # rank, such as images and image tokens, to an unknown rank.
    compiled = tf.function(function, autograph=False, jit_compile=jit_compile)
    traces = {}

    def run(*args):
        args = [tf.convert_to_tensor(x) for x in args]
        shapes = [tuple(x.shape) if jit_compile else (None, *x.shape[1:]) for x in args]
        key = tuple((x.dtype, *shape) for x, shape in zip(args, shapes, strict=True))
        if key not in traces:
            specs = [tf.TensorSpec(shape, x.dtype) for x, shape in zip(args, shapes, strict=True)]
            traces[key] = compiled.get_concrete_function(*specs)
        return traces[key](*args)

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
