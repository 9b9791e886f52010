"""Products of float32 in float32, where GPUs round them to fewer bits."""

import contextlib

import keras


@contextlib.contextmanager
def full_precision():
    """Within it, float32 means float32 on a GPU too, so that other machines get the same numbers.

    What was compiled before keeps its precision.
    """
    if keras.config.backend() == "jax":
        import jax

        with jax.default_matmul_precision("highest"):
            yield
        return
    import torch

    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
