import keras
from keras import ops

from keras_mmfusion._checks import check_fraction


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ModalityDropout(keras.layers.Layer):
    """Drops modalities of a sample in training, but never all of them.

    For each sample and modality `m` that is not missing, with `u_m` uniform in [0, 1):

    ```
    keep_m = u_m >= rate, or u_m is the sample's largest
    ```

    A model trained with it handles samples that lack a modality. Outside of training, masks do
    not change.

    Args:
        rate: float in [0, 1). Probability that a modality is dropped, unless it is the last one.
        seed: int or `None`.

    Call arguments:
        inputs: dict, modality -> tensor `(batch, ...)`, of which only the shape is used; `None`
            for a modality that is missing from the whole batch.
        mask: dict, modality -> bool tensor `(batch,)`, or `(batch, tokens)` for tokens. `None`,
            or no entry, if nothing is masked.
        training: bool. Whether to drop modalities.

    Output shape:
        The new mask: a dict with a bool tensor for each modality, of the shape of its mask, or
        `(batch,)` without one.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import ModalityDropout
    >>> from keras_mmfusion.layers.fusion import SumFusion
    >>> inputs = {"image": np.ones((2, 8)), "text": np.ones((2, 3))}
    >>> mask = ModalityDropout(0.5, seed=0)(inputs, training=True)
    >>> fused = SumFusion(("image", "text"), output_dim=4)(inputs, mask=mask)

    Reference:
        Neverova et al., "ModDrop: Adaptive Multi-modal Gesture Recognition", 2016, section 3.3;
        here a sample always keeps one modality.
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = check_fraction(self, "rate", rate)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.built = True

    def call(self, inputs, mask=None, training=False):
        masks = {}
        for name, value in inputs.items():
            if value is not None:
                value_mask = (mask or {}).get(name)
                if value_mask is None:
                    value_mask = ops.ones(ops.shape(value)[:1], "bool")
                masks[name] = ops.cast(value_mask, "bool")
        if not masks:
            raise ValueError("ModalityDropout: all modalities of `inputs` are missing.")
        if not training or self.rate == 0:
            return masks
        sample_mask = ops.stack([_any_token(value_mask) for value_mask in masks.values()], axis=1)
        draws = keras.random.uniform(ops.shape(sample_mask), seed=self.seed_generator)
        draws = ops.where(sample_mask, draws, -1.0)
        largest = ops.max(draws, axis=1, keepdims=True)
        keep = ops.logical_or(draws >= self.rate, draws == largest)
        return {
            name: ops.logical_and(value_mask, _expand_to(keep[:, i], len(value_mask.shape)))
            for i, (name, value_mask) in enumerate(masks.items())
        }

    def compute_mask(self, inputs, mask=None):
        return None

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def _any_token(mask):
    return ops.any(mask, axis=-1) if len(mask.shape) > 1 else mask


def _expand_to(x, rank):
    """Adds axes of size 1 to `x`, `(batch,)`, up to a rank."""
    return ops.reshape(x, (-1, *[1] * (rank - 1)))
