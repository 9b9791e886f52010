import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ModalityDropout(keras.layers.Layer):
    """Drops whole modalities of a sample in training, never all that it has.

    For each sample and modality `m` that is present, with `u_m` uniform in [0, 1):

    ```
    keep_m = u_m >= rate, or u_m is the largest of the sample's
    ```

    A model trained behind it takes samples that lack a modality. Outside training, masks pass as
    they are.

    Args:
        rate: float in [0, 1). How often a modality is dropped, were it not the sample's last.
        seed: int or `None`.

    Call arguments:
        inputs: dict, modality -> tensor `(batch, ...)`, of which only the shape counts; or
            `None`, for a modality that the whole batch is without.
        mask: dict, modality -> bool tensor `(batch,)`, or `(batch, tokens)` for tokens; no entry
            or `None` where nothing is missing.
        training: bool. Whether to drop.

    Output shape:
        The new mask, a dict with a bool tensor for each modality: `(batch,)`, or that of its mask.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import ModalityDropout
    >>> from keras_mmfusion.layers.fusion import SumFusion
    >>> inputs = {"image": np.ones((2, 8)), "text": np.ones((2, 3))}
    >>> mask = ModalityDropout(0.5, seed=0)(inputs, training=True)
    >>> fused = SumFusion(("image", "text"), output_dim=4)(inputs, mask=mask)

    Reference:
        Neverova et al., "ModDrop: Adaptive Multi-modal Gesture Recognition", 2016, section 3.3;
        here a sample always keeps one.
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < 1:
            raise ValueError(f"ModalityDropout: `rate` must be in [0, 1). Received: {rate!r}")
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.built = True

    def call(self, inputs, mask=None, training=False):
        mask = mask or {}
        masks = {}
        for name, value in inputs.items():
            if value is not None:
                given = mask.get(name)
                everywhere = ops.ones(ops.shape(value)[:1], "bool")
                masks[name] = everywhere if given is None else ops.cast(given, "bool")
        if not masks:
            raise ValueError("ModalityDropout: all modalities of `inputs` are missing.")
        if not training or self.rate == 0:
            return masks
        present = ops.stack([_any_token(each) for each in masks.values()], axis=1)
        draws = keras.random.uniform(ops.shape(present), seed=self.seed_generator)
        draws = ops.where(present, draws, -1.0)
        largest = ops.max(draws, axis=1, keepdims=True)
        keep = ops.logical_or(draws >= self.rate, draws == largest)
        return {
            name: ops.logical_and(each, ops.reshape(keep[:, i], (-1, *[1] * (len(each.shape) - 1))))
            for i, (name, each) in enumerate(masks.items())
        }

    def compute_mask(self, inputs, mask=None):
        return None

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def _any_token(mask):
    return ops.any(mask, axis=-1) if len(mask.shape) > 1 else mask
