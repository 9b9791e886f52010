import keras
from keras import ops

from keras_mmfusion.models.fusion.fusion_model import FusionModel
from keras_mmfusion.models.fusion.modality_alone import mean_token


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GradientBlendingModel(FusionModel):
    """A `FusionModel` that also trains a head on each modality alone: gradient blending.

    ```
    y_m = head_m(mean of h_m)          for each modality m, in training only
    loss = w_fused L(y) + Σ_m w_m L(y_m)
    ```

    Modalities overfit at different speeds, so that one network of them all is often worse than its
    best modality. The weights, at first equal, are set by `estimate_blending_weights`. `predict`,
    `evaluate` and all metrics are of the fused `y` alone.

    Args:
        encoders, fusion, head, modality_dropout: as for `FusionModel`. Each modality gets a copy
            of `head`, which must be a layer.

    Call arguments:
        inputs: as for `FusionModel`. A sample adds nothing to the loss of a modality that it is
            without.

    Output shape:
        That of the head.

    Attributes:
        blending_weights: variable `(modalities + 1,)`, in their order, the fused output's last.

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
                "GradientBlendingModel: `head` must be a layer, of which each modality gets a "
                f"copy. Received: {head!r}"
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
        alone = {
            name: self.modality_heads[name](mean_token(value, mask[name]), training=training)
            for name, value in values.items()
        }
        return (alone, {name: _has_any(mask[name]) for name in alone}, fused) if training else fused

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss
        if not training:
            return loss(x, y, y_pred, sample_weight, training=False)
        alone, present, fused = y_pred
        total = self.blending_weights[-1] * loss(x, y, fused, sample_weight)
        for place, name in enumerate(self.modalities):
            if name in alone:
                weight = present[name] if sample_weight is None else sample_weight * present[name]
                total += self.blending_weights[place] * loss(x, y, alone[name], weight)
        return total

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        fused = y_pred[-1] if isinstance(y_pred, tuple) else y_pred
        return super().compute_metrics(x, y, fused, sample_weight)


def _has_any(mask):
    """1 for each sample that has the modality, else 0: float `(batch,)`."""
    return ops.cast(mask if len(mask.shape) == 1 else ops.any(mask, axis=1), "float32")
