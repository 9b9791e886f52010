"""Gradients of a loss with respect to masks, on each backend."""

import keras


def compile_gradients(loss, masks):
    """Compiles a function that returns a loss and its gradients for the first arguments.

    Args:
        loss: function of tensors that returns a scalar tensor.
        masks: int. Number of leading arguments to differentiate by.

    Returns:
        A function of the same arguments that returns the loss and a list of gradients. On PyTorch
        it runs eagerly.
    """
    backend = keras.config.backend()
    if backend == "jax":
        import jax

        return jax.jit(jax.value_and_grad(loss, argnums=list(range(masks))))
    return _tensorflow(loss, masks) if backend == "tensorflow" else _torch(loss, masks)


def _tensorflow(loss, masks):
    import tensorflow as tf

    @tf.function(autograph=False)
    def gradients(*args):
        with tf.GradientTape() as tape:
            tape.watch(args[:masks])
            value = loss(*args)
        return value, tape.gradient(value, args[:masks], unconnected_gradients="zero")

    return gradients


def _torch(loss, masks):
    import torch

    def gradients(*args):
        sources = [mask.detach().requires_grad_() for mask in args[:masks]]
        value = loss(*sources, *args[masks:])
        grads = torch.autograd.grad(value, sources, allow_unused=True, materialize_grads=True)
        return value.detach(), list(grads)

    return gradients
