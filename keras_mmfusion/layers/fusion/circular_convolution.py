import keras
from keras import ops


def circular_convolution(x, y):
    """Circular convolution `z_j = Σ_i x_i y_{(j - i) mod dim}`, by Fourier transforms.

    Args:
        x, y: float32 tensors `(batch, dim)`.

    Returns:
        Float32 tensor `(batch, dim)`.

    Example:

    >>> import numpy as np
    >>> x, y = np.array([[1.0, 2.0, 4.0], [0.0, 1.0, 0.0]], "float32")[:, None]
    >>> circular_convolution(x, y).__array__().round(3).tolist()
    [[4.0, 1.0, 2.0]]
    """
    dim = x.shape[-1]
    if keras.config.backend() == "torch":
        # Keras's transforms return real and imaginary parts; PyTorch multiplies complex tensors.
        import torch

        x, y = ops.convert_to_tensor(x), ops.convert_to_tensor(y)
        return torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(y), n=dim)
    (a, b), (c, d) = ops.rfft(x), ops.rfft(y)
    return ops.irfft((a * c - b * d, a * d + b * c), fft_length=dim)
