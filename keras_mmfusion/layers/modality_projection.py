import keras
from keras import ops

from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cast_input import cast_input, cast_mask
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.dropout import Dropout


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ModalityProjection(keras.layers.Layer):
    """Projects every modality to tokens of one size and scale.

    ```
    h_m = LayerNorm(x_m W_m + b_m)
    ```

    With `placeholders=True`, a learned token `p_m` replaces modality `m` in samples that lack it.

    Args:
        modalities: sequence of strings. The names of the modalities, in the layer's order.
        dim: int. The size of the tokens.
        dropout: float in [0, 1). Dropout rate of the projected tokens.
        placeholders: bool. Whether a learned token replaces a missing modality.

    Call arguments:
        inputs: dict, modality -> float tensor `(batch, tokens, dim)`, or `(batch, dim)` for one
            token; finite also where it is masked.
        mask: dict, modality -> bool tensor of the tensor's shape without its last dim, `True` for
            a real token, or `None` if no token is masked.
        training: bool. Whether dropout is active.

    Output shape:
        Tuple of two dicts, modality -> tokens `(batch, tokens, dim)`, and modality -> their mask,
        bool `(batch, tokens)`, `True` also for placeholders, or `None` if no token is masked.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.modality_projection import ModalityProjection
    >>> inputs = {"image": np.ones((1, 4, 8)), "text": np.ones((1, 2))}
    >>> mask = {"image": np.ones((1, 4), bool), "text": np.array([False])}
    >>> projection = ModalityProjection(("image", "text"), 6, placeholders=True)
    >>> tokens, mask = projection(inputs, mask)
    >>> tuple(tokens["text"].shape), bool(mask["text"][0, 0])
    ((1, 1, 6), True)
    """

    def __init__(self, modalities, dim, dropout=0.0, placeholders=False, **kwargs):
        super().__init__(**kwargs)
        self.modalities = tuple(modalities)
        self.dim = dim
        self.dropout = dropout
        self.placeholders = bool(placeholders)
        self.supports_masking = True
        self.dropout_layer = Dropout(dropout, dtype=self.dtype_policy)

    def build(self, inputs_shape):
        self.projections, self.norms, self.placeholder_tokens = {}, {}, {}
        for name in self.modalities:
            projection = Dense(self.dim, dtype=self.dtype_policy, name=f"{name}_projection")
            projection.build((None, inputs_shape[name][-1]))
            norm = keras.layers.LayerNormalization(
                epsilon=1e-5, dtype=self.dtype_policy, name=f"{name}_norm"
            )
            norm.build((None, None, self.dim))
            self.projections[name] = projection
            self.norms[name] = norm
            if self.placeholders:
                self.placeholder_tokens[name] = self.add_weight(
                    (1, 1, self.dim),
                    keras.initializers.RandomNormal(stddev=0.02),
                    name=f"{name}_placeholder",
                )

    def call(self, inputs, mask=None, training=None):
        tokens, masks = {}, {}
        for name in self.modalities:
            x, x_mask = cast_input(self, inputs[name]), cast_mask((mask or {}).get(name))
            if len(x.shape) == 2:
                x = ops.expand_dims(x, 1)
                x_mask = None if x_mask is None else ops.expand_dims(x_mask, 1)
            x = self.norms[name](apply_to_rows(self.projections[name], x))
            x = self.dropout_layer(x, training=training)
            if self.placeholders and x_mask is not None:
                x, x_mask = _insert_placeholder(x, x_mask, self.placeholder_tokens[name])
            tokens[name], masks[name] = x, x_mask
        return tokens, masks

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_spec(self, inputs, mask=None, training=None):
        tokens, masks = {}, {}
        for name in self.modalities:
            shape = inputs[name].shape
            shape = shape[0], 1 if len(shape) == 2 else shape[1]
            tokens[name] = keras.KerasTensor((*shape, self.dim), dtype=self.compute_dtype)
            has_mask = (mask or {}).get(name) is not None
            masks[name] = keras.KerasTensor(shape, dtype="bool") if has_mask else None
        return tokens, masks

    def get_config(self):
        return {
            **super().get_config(),
            "modalities": list(self.modalities),
            "dim": self.dim,
            "dropout": self.dropout,
            "placeholders": self.placeholders,
        }


def _insert_placeholder(tokens, mask, placeholder):
    """Replaces the first token of samples whose tokens are all masked."""
    missing = ops.logical_not(ops.any(mask, axis=1, keepdims=True))
    first = ops.expand_dims(ops.equal(ops.arange(ops.shape(tokens)[1]), 0), 0)
    inserted = ops.logical_and(missing, first)
    placeholder = ops.cast(placeholder, tokens.dtype)
    return (
        ops.where(ops.expand_dims(inserted, -1), placeholder, tokens),
        ops.logical_or(mask, inserted),
    )
