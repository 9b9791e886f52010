"""Full precision for float32 matrix products on GPUs."""

import contextlib

import keras


@contextlib.contextmanager
def use_full_precision():
    """Context manager that disables TF32 rounding, so results equal those of other machines.

    Functions that are already compiled keep their precision.
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
