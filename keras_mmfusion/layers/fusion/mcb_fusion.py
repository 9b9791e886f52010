import keras
import numpy as np
from keras import ops

from keras_mmfusion.layers.fusion.bilinear_fusion import BilinearFusion, power_normalized


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class MCBFusion(BilinearFusion):
    """Multimodal compact bilinear pooling (MCB): the outer product, in a random sketch.

    With the count sketch `ψ(x)_j = Σ_{i: h(i) = j} s(i) x_i`, for random places `h` and signs `s`,
    and `∗` the circular convolution:

    ```
    z = ψ_1(x_1) ∗ ψ_2(x_2) = FFT⁻¹(FFT(ψ_1(x_1)) ∘ FFT(ψ_2(x_2)))
    y = normalize(sign(z) √|z|)
    ```

    Inner products of `z` estimate those of the outer products `x_1 ⊗ x_2`. Nothing is learned;
    `h` and `s` are drawn from `seed`. The sketch of a missing modality is the one of the
    convolution. Computed in float32.

    Args:
        modalities: two strings, see `FusionRule`.
        output_dim: int. The size of the sketch.
        seed: int. Of the places and signs.

    Call arguments: see `FusionRule`.

    Output shape:
        `(batch, output_dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import MCBFusion
    >>> fusion = MCBFusion(("image", "question"), output_dim=16)
    >>> tuple(fusion({"image": np.ones((2, 8)), "question": np.ones((2, 3))}).shape)
    (2, 16)

    Reference:
        Fukui et al., "Multimodal Compact Bilinear Pooling for Visual Question Answering and
        Visual Grounding", 2016, algorithm 1; Pham and Pagh, "Fast and Scalable Polynomial Kernels
        via Explicit Feature Maps", 2013.
    """

    def __init__(self, modalities, output_dim, seed=0, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        self.seed = seed

    def build_rule(self, dims):
        rng = np.random.default_rng(self.seed)
        self.sketches = []
        for dim in dims.values():
            sketch = np.zeros((dim, self.output_dim), "float32")
            sketch[np.arange(dim), rng.integers(self.output_dim, size=dim)] = rng.choice(
                [-1.0, 1.0], size=dim
            )
            self.sketches.append(sketch)

    def combine(self, values, present):
        product = None
        one = ops.eye(1, self.output_dim)  # of the circular convolution
        for sketch, value, here in zip(self.sketches, values, present, strict=True):
            sketched = ops.matmul(ops.cast(value, "float32"), sketch)
            spectrum = ops.rfft(ops.where(here > 0, sketched, one))
            product = spectrum if product is None else _complex_product(product, spectrum)
        convolved = ops.irfft(product, fft_length=self.output_dim)
        return ops.cast(power_normalized(convolved), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


def _complex_product(one, other):
    (a, b), (c, d) = one, other
    return a * c - b * d, a * d + b * c
