"""The method `SmoothGrad`."""

import numpy as np

from keras_mmfusion._checks import check_integer, check_positive
from keras_mmfusion.explain.formulas.gradient_average import smooth_gradients
from keras_mmfusion.explain.internals.score_gradients import make_input_gradients
from keras_mmfusion.explain.methods.explanation_method import Attribution, ExplanationMethod
from keras_mmfusion.explain.methods.integrated_gradients import find_gradient_problem
from keras_mmfusion.explain.part_values import sum_over_parts


class SmoothGrad(ExplanationMethod):
    """The length of the gradient, averaged over samples with Gaussian noise.

    ```
    g = 1/n Σ_k ∂f(x + ε_k) / ∂x        ε_k ~ N(0, σ²),  σ = noise (max(x) - min(x))
    value_i = ‖g_i‖                      the norm over the channels of a pixel or an embedding
    ```

    It shows how sensitive the score is to a part, not in which direction. The values of different
    modalities have different units. The value of several pixels is the sum of theirs.

    Args:
        samples: int. Number `n` of noisy samples.
        noise: float. Standard deviation of the noise relative to the range of an input.
        seed: int.

    Example:

    >>> from keras_mmfusion.explain import SmoothGrad
    >>> SmoothGrad(samples=16)
    SmoothGrad(samples=16, noise=0.15, seed=0)

    Reference:
        Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017.
    """

    name = "smooth_grad"
    levels = ("modality", "token", "pixel", "feature")

    def __init__(self, samples=32, noise=0.15, seed=0):
        self.samples = check_integer(self, "samples", samples)
        self.noise = check_positive(self, "noise", noise)
        self.seed = check_integer(self, "seed", seed, minimum=0)

    def find_problem(self, explainable, level):
        return find_gradient_problem(explainable)

    def attribute(self, explainable, level, batch_size):
        gradients = smooth_gradients(
            make_input_gradients(explainable),
            {name: explainable.embed(name) for name in explainable.differentiable},
            self.samples,
            self.noise,
            self.seed,
            batch_size,
        )
        lengths = {
            name: np.abs(x) if x.ndim == 1 else np.linalg.norm(x, axis=-1, keepdims=True)
            for name, x in gradients.items()
        }
        return Attribution(sum_over_parts(explainable, lengths, level))
