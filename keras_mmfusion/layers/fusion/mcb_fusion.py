import keras
import numpy as np
from keras import ops

from keras_mmfusion.layers.fusion.bilinear_fusion import BilinearFusion, normalize_power
from keras_mmfusion.layers.fusion.circular_convolution import circular_convolution
from keras_mmfusion.layers.fusion.count_sketch import count_sketch
from keras_mmfusion.layers.masks import fill_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class MCBFusion(BilinearFusion):
    """Multimodal compact bilinear pooling (MCB): a random sketch of the outer product.

    With the count sketch `ψ(x)_j = Σ_{i: h(i) = j} s(i) x_i`, for random indices `h` and signs
    `s`, and `∗` the circular convolution:

    ```
    z = ψ_1(x_1) ∗ ψ_2(x_2) = FFT⁻¹(FFT(ψ_1(x_1)) ∘ FFT(ψ_2(x_2)))
    y = normalize(sign(z) √|z|)
    ```

    Inner products of `z` estimate those of the outer products `x_1 ⊗ x_2`. The rule has no
    weights; `seed` determines `h` and `s`. The sketch of a missing modality is the identity of the
    convolution. Computed in float32.

    Args:
        modalities: two strings, see `FusionRule`.
        output_dim: int. The size of the sketch.
        seed: int. Seed of the random indices and signs.

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
        self.sketches = {}
        for name, dim in dims.items():
            indices = rng.integers(self.output_dim, size=dim)
            signs = rng.choice([-1.0, 1.0], size=dim).astype("float32")
            self.sketches[name] = indices, signs

    def combine(self, inputs, mask):
        identity = ops.eye(1, self.output_dim)  # of the circular convolution
        sketches = []
        for name, x in inputs.items():
            indices, signs = self.sketches[name]
            sketch = count_sketch(ops.cast(x, "float32"), indices, signs, self.output_dim)
            sketches.append(fill_masked(sketch, mask[name], identity))
        convolved = circular_convolution(*sketches)
        return ops.cast(normalize_power(convolved), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
