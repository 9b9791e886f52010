import keras
from keras import ops

from keras_mmfusion.layers.fusion.fusion_rule import FusionRule, normalized_shares
from keras_mmfusion.layers.masks import zeros_if_missing


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GatedFusion(FusionRule):
    """Gated multimodal unit (GMU): gates by the content of all modalities.

    ```
    h_m = tanh(x_m W_m + b_m)
    z_m = σ([x_1; ...; x_n] U_m + c_m)
    y = Σ_m z_m ∘ h_m
    ```

    Of two modalities, the gate of the second is `1 - z_1`. A missing modality counts as zeros in
    the gates and adds nothing to the sum.

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
        self.projections = self.dense_each("projection", dims, self.output_dim, activation="tanh")
        total = sum(dims.values())
        gated = self.modalities[:1] if len(dims) == 2 else self.modalities
        self.gates = self.dense_each(
            "gate", {name: total for name in gated}, self.output_dim, activation="sigmoid"
        )

    def combine(self, values, present):
        gates = self._open_gates(values, present)
        return sum(
            gate * project(value)
            for project, value, gate in zip(self.projections, values, gates, strict=True)
        )

    def shares(self, inputs, mask=None):
        """Each modality's gates, their mean over the units, over the sum of that for all.

        Float32 `(batch, modalities)`, see `FusionRule.shares`.
        """
        gates = ops.cast(ops.stack(self._open_gates(*self._unpack(inputs, mask)), 1), "float32")
        return normalized_shares(ops.mean(gates, axis=-1))

    def _open_gates(self, values, present):
        joined = ops.concatenate(values, axis=-1)
        gates = [gate(joined) for gate in self.gates]
        if len(values) == 2:
            gates.append(1 - gates[0])
        return [zeros_if_missing(*each) for each in zip(gates, present, strict=True)]
