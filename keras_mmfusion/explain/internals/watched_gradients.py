"""Gradients with respect to any tensor of a computation, on each backend."""

import keras
import numpy as np


def compile_gradients(function, variables=()):
    """Compiles a function that also returns the gradients of its output.

    Args:
        function: called as `function(watch, *args)`, with tensors, or dicts or lists of tensors.
            It returns a tensor, and calls `watch(tensor)` for each tensor to differentiate by,
            inputs or intermediate results, and continues with the tensor that `watch` returns.
        variables: list of `keras.Variable`s that the function uses. On JAX, compilation would make
            the values of others constant.

    Returns:
        A function of `*args` that returns a tuple: the output, the list of watched tensors in the
        order of the calls, and the list of gradients of the sum of the output. It is traced once
        for each shape; on PyTorch it runs eagerly.
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        return _compile_tensorflow(function)
    if backend == "jax":
        return _compile_jax(function, list(variables))
    return _make_torch(function)


def compute_gradients(function, inputs):
    """Computes a function of tensors and its gradients for all inputs.

    Args:
        function: maps the dict of tensors to a tensor, such as one score for each row.
        inputs: dict of float arrays.

    Returns:
        A tuple: the output, a NumPy array, and a dict of arrays like `inputs`, the gradients of the
        sum of the output.

    Example:

    >>> import numpy as np
    >>> from keras import ops
    >>> output, gradients = compute_gradients(
    ...     lambda inputs: ops.sum(inputs["x"] ** 2, axis=1), {"x": np.array([[1.0, 3.0]])})
    >>> output.tolist(), gradients["x"].tolist()
    ([10.0], [[2.0, 6.0]])
    """

    def watch_inputs(watch, inputs):
        # JAX sorts the keys of dicts.
        return function({name: watch(inputs[name]) for name in names})

    names = list(inputs)
    inputs = {name: np.asarray(x, "float32") for name, x in inputs.items()}
    output, _, gradients = compile_gradients(watch_inputs)(inputs)
    arrays = map(keras.ops.convert_to_numpy, gradients)
    return keras.ops.convert_to_numpy(output), dict(zip(names, arrays, strict=True))


def _convert(args):
    return keras.tree.map_structure(keras.ops.convert_to_tensor, args)


def _compile_tensorflow(function):
    import tensorflow as tf

    @tf.function(autograph=False)
    def compiled(*args):
        watched = []
        with tf.GradientTape(watch_accessed_variables=False) as tape:

            def watch(x):
                x = tf.identity(x)
                tape.watch(x)
                watched.append(x)
                return x

            output = function(watch, *args)
            total = tf.reduce_sum(output)
        gradients = tape.gradient(total, watched, unconnected_gradients="zero")
        return output, watched, gradients

    return lambda *args: compiled(*_convert(args))


def _compile_jax(function, variables):
    import jax
    import jax.numpy as jnp

    def call(watch, values, args):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return function(watch, *args)

    @jax.jit
    def compiled(values, args):
        def list_watched(values, args):
            watched = []
            call(lambda x: watched.append(x) or x, values, args)
            return watched

        def compute(offsets):
            watched, remaining = [], iter(offsets)

            def watch(x):
                watched.append(x)
                return x + next(remaining)

            output = call(watch, values, args)
            return jnp.sum(output), (output, watched)

        # The gradient by a tensor is that by zeros that are added to it.
        shapes = jax.eval_shape(list_watched, values, args)
        offsets = [jnp.zeros(x.shape, x.dtype) for x in shapes]
        gradients, (output, watched) = jax.grad(compute, has_aux=True)(offsets)
        return output, watched, gradients

    return lambda *args: compiled([v.value for v in variables], _convert(args))


def _make_torch(function):
    import torch

    def run(*args):
        watched = []

        def watch(x):
            if not x.requires_grad:
                x = x.detach().requires_grad_()
            watched.append(x)
            return x

        with torch.enable_grad():
            output = function(watch, *_convert(args))
            gradients = torch.autograd.grad(
                output.sum(), watched, allow_unused=True, materialize_grads=True
            )
        return output.detach(), [x.detach() for x in watched], list(gradients)

    return run
