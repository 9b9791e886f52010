"""Maps of feature maps weighted by gradients: Grad-CAM and Grad-CAM++."""

import numpy as np


def compute_grad_cam(activations, gradients):
    """Computes Grad-CAM.

    ```
    α_k = mean over positions of ∂y / ∂A_k           map = ReLU(Σ_k α_k A_k)
    ```

    Args:
        activations: float array `(..., positions, channels)`, a feature map `A`.
        gradients: float array like `activations`, the gradient of a score `y`.

    Returns:
        Float64 array `(..., positions)`.

    Example:

    >>> import numpy as np
    >>> compute_grad_cam(np.eye(2), np.array([[1.0, -1.0], [3.0, -3.0]])).tolist()
    [2.0, 0.0]

    Reference:
        Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
        Localization", 2017, equations 1 and 2.
    """
    activations, gradients = np.float64(activations), np.float64(gradients)
    weights = gradients.mean(axis=-2, keepdims=True)
    return np.maximum((weights * activations).sum(axis=-1), 0)


def compute_grad_cam_plus_plus(activations, gradients):
    """Computes Grad-CAM++ of a score `y`, with the derivatives of `exp(y)`.

    ```
    g = ∂y / ∂A        α = g² / (2 g² + g³ Σ_positions A)
    w_k = Σ_positions α_k ReLU(g_k)                  map = ReLU(Σ_k w_k A_k)
    ```

    The factor `exp(y)` of `w`, which is the same for all positions, is left out.

    Args:
        activations, gradients: see `compute_grad_cam`.

    Returns:
        Float64 array `(..., positions)`.

    Example:

    >>> import numpy as np
    >>> compute_grad_cam_plus_plus(np.eye(2), np.array([[1.0, 0.0], [1.0, 0.0]])).round(3).tolist()
    [0.667, 0.0]

    Reference:
        Chattopadhay et al., "Grad-CAM++: Improved Visual Explanations for Deep Convolutional
        Networks", 2018, equations 5, 15 and 19.
    """
    activations, gradients = np.float64(activations), np.float64(gradients)
    squares = gradients**2
    denominators = 2 * squares + gradients**3 * activations.sum(axis=-2, keepdims=True)
    is_zero = denominators == 0
    alphas = np.where(is_zero, 0.0, squares / np.where(is_zero, 1.0, denominators))
    weights = (alphas * np.maximum(gradients, 0)).sum(axis=-2, keepdims=True)
    return np.maximum((weights * activations).sum(axis=-1), 0)
