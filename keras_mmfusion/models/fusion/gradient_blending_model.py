import keras
from keras import ops

from keras_mmfusion.models.fusion.fusion_model import FusionModel
from keras_mmfusion.models.fusion.modality_alone import pool_modality


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GradientBlendingModel(FusionModel):
    """A `FusionModel` that also trains a head on each single modality: gradient blending.

    ```
    y_m = head_m(mean of h_m)          for each modality m, only in training
    loss = w_fused L(y) + Σ_m w_m L(y_m)
    ```

    Modalities overfit at different rates, so that a joint network is often worse than its best
    modality. The weights are equal at first; `estimate_blending_weights` sets them. `predict`,
    `evaluate` and all metrics use only the fused `y`.

    Args:
        encoders, fusion, head, modality_dropout: see `FusionModel`. Each modality gets a copy of
            `head`, which must be a layer.

    Call arguments:
        inputs: see `FusionModel`. A sample does not contribute to the losses of its missing
            modalities.

    Output shape:
        That of the head.

    Attributes:
        blending_weights: variable `(modalities + 1,)`, in the order of the modalities; the last is
            the weight of the fused output.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_mmfusion import FusionBlock
    >>> from keras_mmfusion.encoders import VectorEncoder
    >>> from keras_mmfusion.models import GradientBlendingModel
    >>> model = GradientBlendingModel(
    ...     {name: VectorEncoder(8) for name in ("face", "voice")},
    ...     FusionBlock(("face", "voice"), combine="concat", dim=8),
    ...     head=keras.layers.Dense(1),
    ... )
    >>> model.compile("adam", "mse")
    >>> data = {"face": np.random.rand(8, 5), "voice": np.random.rand(8, 3)}
    >>> history = model.fit(data, np.ones((8, 1)), verbose=0)
    >>> model.predict(data, verbose=0).shape
    (8, 1)

    Reference:
        Wang et al., "What Makes Training Multi-modal Classification Networks Hard?", 2020,
        section 3.
    """

    def __init__(self, encoders, fusion, head, modality_dropout=0.0, **kwargs):
        super().__init__(encoders, fusion, head, modality_dropout, **kwargs)
        if not isinstance(head, keras.layers.Layer):
            raise ValueError(
                "GradientBlendingModel: `head` must be a layer, which is copied for each modality. "
                f"Received: {head!r}"
            )
        self.modality_heads = {
            name: head.from_config({**head.get_config(), "name": f"{name}_head"})
            for name in self.modalities
        }
        count = len(self.modalities) + 1
        self.blending_weights = self.add_weight(
            (count,),
            keras.initializers.Constant(1 / count),
            dtype="float32",
            trainable=False,
            name="blending_weights",
        )

    def call(self, inputs, training=False):
        values, mask = self._encode(inputs, training)
        fused = self.fusion(values, mask=mask, training=training)
        fused = self.head(fused, training=training)
        outputs = {
            name: self.modality_heads[name](pool_modality(value, mask[name]), training=training)
            for name, value in values.items()
        }
        if not training:
            return fused
        return outputs, {name: _sample_weight(mask[name]) for name in outputs}, fused

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss
        if not training:
            return loss(x, y, y_pred, sample_weight, training=False)
        outputs, sample_weights, fused = y_pred
        total = self.blending_weights[-1] * loss(x, y, fused, sample_weight)
        for index, name in enumerate(self.modalities):
            if name in outputs:
                weight = sample_weights[name]
                if sample_weight is not None:
                    weight = sample_weight * weight
                total += self.blending_weights[index] * loss(x, y, outputs[name], weight)
        return total

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        fused = y_pred[-1] if isinstance(y_pred, tuple) else y_pred
        return super().compute_metrics(x, y, fused, sample_weight)


def _sample_weight(mask):
    """Returns 1 for each sample that has the modality, else 0: float `(batch,)`."""
    return ops.cast(mask if len(mask.shape) == 1 else ops.any(mask, axis=1), "float32")
