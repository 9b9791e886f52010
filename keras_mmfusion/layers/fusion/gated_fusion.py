import keras
from keras import ops

from keras_mmfusion.layers.fusion.fusion_rule import FusionRule, normalize_shares
from keras_mmfusion.layers.masks import zero_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GatedFusion(FusionRule):
    """Gated multimodal unit (GMU), whose gates depend on all modalities.

    ```
    h_m = tanh(x_m W_m + b_m)
    z_m = σ([x_1; ...; x_n] U_m + c_m)
    y = Σ_m z_m ∘ h_m
    ```

    For two modalities, the gate of the second is `1 - z_1`. A missing modality is zeros in the
    gates and adds nothing to the sum.

    Args:
        modalities: sequence of strings, see `FusionRule`.
        output_dim: int. The size of the output.

    Call arguments: see `FusionRule`.

    Output shape:
        `(batch, output_dim)`, between -n and n.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import GatedFusion
    >>> fusion = GatedFusion(("image", "text"), output_dim=4)
    >>> tuple(fusion({"image": np.ones((2, 8)), "text": np.ones((2, 3))}).shape)
    (2, 4)

    Reference:
        Arevalo et al., "Gated Multimodal Units for Information Fusion", 2017, section 3.1 and
        figure 2.
    """

    def __init__(self, modalities, output_dim, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)

    def build_rule(self, dims):
        self.projections = self.make_dense("projection", dims, self.output_dim, activation="tanh")
        gated = self.modalities[:1] if len(dims) == 2 else self.modalities
        self.gates = self.make_dense(
            "gate",
            dict.fromkeys(gated, sum(dims.values())),
            self.output_dim,
            activation="sigmoid",
        )

    def combine(self, inputs, mask):
        gates = self._compute_gates(inputs, mask)
        return sum(gates[name] * self.projections[name](x) for name, x in inputs.items())

    def compute_shares(self, inputs, mask=None):
        """The normalized mean of each modality's gates, float32 `(batch, modalities)`.

        See `FusionRule.compute_shares`.
        """
        gates = self._compute_gates(*self.prepare_inputs(inputs, mask))
        gates = ops.cast(ops.stack(list(gates.values()), axis=1), "float32")
        return normalize_shares(ops.mean(gates, axis=-1))

    def _compute_gates(self, inputs, mask):
        joined = ops.concatenate(list(inputs.values()), axis=-1)
        gates = {name: gate(joined) for name, gate in self.gates.items()}
        if len(inputs) == 2:
            first, second = self.modalities
            gates[second] = 1 - gates[first]
        return {name: zero_masked(gates[name], mask[name]) for name in inputs}
