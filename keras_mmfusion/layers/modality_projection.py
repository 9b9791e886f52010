import keras
from keras import ops

from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cast_input import cast_input, cast_mask
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.dropout import Dropout


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ModalityProjection(keras.layers.Layer):
    """Brings every modality to tokens of one size and scale.

    ```
    h_m = LayerNorm(x_m W_m + b_m)
    ```

    With `placeholders=True` a learned token `p_m` is the one token of a sample that has no token
    of modality `m`.

    Args:
        modalities: sequence of strings. The names of the modalities, in the order of the call.
        dim: int. The size of the tokens.
        dropout: float. Share of the projected values dropped in training.
        placeholders: bool. Whether a learned token stands in for a missing modality.

    Call arguments:
        values: list of float tensors `(batch, tokens, dim)`, or `(batch, dim)`, one token; finite
            also where they are masked.
        present: list of bool tensors of these shapes without the last dim, `True` for a real
            token, or `None` where all are.
        training: bool. Whether dropout is active.

    Output shape:
        Tuple of two lists: tokens `(batch, tokens, dim)`, and bool `(batch, tokens)`, `True` for
        a real token, placeholders included; `None` where it was.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.modality_projection import ModalityProjection
    >>> values = [np.ones((1, 4, 8)), np.ones((1, 2))]
    >>> present = [np.ones((1, 4), bool), np.array([False])]
    >>> projection = ModalityProjection(("image", "text"), 6, placeholders=True)
    >>> tokens, present = projection(values, present)
    >>> [tuple(x.shape) for x in tokens], bool(present[1][0, 0])
    ([(1, 4, 6), (1, 1, 6)], True)
    """

    def __init__(self, modalities, dim, dropout=0.0, placeholders=False, **kwargs):
        super().__init__(**kwargs)
        self.modalities = tuple(modalities)
        self.dim = dim
        self.dropout = dropout
        self.placeholders = bool(placeholders)
        self.supports_masking = True  # The masks are arguments and results.
        self.dropout_layer = Dropout(dropout, dtype=self.dtype_policy)

    def build(self, values_shape):
        self.projections, self.norms, self.placeholder_tokens = [], [], []
        for name, shape in zip(self.modalities, values_shape, strict=True):
            projection = Dense(self.dim, dtype=self.dtype_policy, name=f"{name}_projection")
            projection.build((None, shape[-1]))
            norm = keras.layers.LayerNormalization(
                epsilon=1e-5, dtype=self.dtype_policy, name=f"{name}_norm"
            )
            norm.build((None, None, self.dim))
            self.projections.append(projection)
            self.norms.append(norm)
            if self.placeholders:
                initializer = keras.initializers.RandomNormal(stddev=0.02)
                self.placeholder_tokens.append(
                    self.add_weight((1, 1, self.dim), initializer, name=f"{name}_placeholder")
                )

    def call(self, values, present, training=None):
        tokens, masks = [], []
        for m, (value, mask) in enumerate(zip(values, present, strict=True)):
            value, mask = cast_input(self, value), cast_mask(mask)
            if len(value.shape) == 2:
                value = ops.expand_dims(value, 1)
                mask = None if mask is None else ops.expand_dims(mask, 1)
            token = self.norms[m](apply_to_rows(self.projections[m], value))
            token = self.dropout_layer(token, training=training)
            if self.placeholders and mask is not None:
                token, mask = _or_placeholder(token, mask, self.placeholder_tokens[m])
            tokens.append(token)
            masks.append(mask)
        return tokens, masks

    def compute_mask(self, values, mask=None):
        return None

    def compute_output_spec(self, values, present, training=None):
        shapes = [(x.shape[0], 1 if len(x.shape) == 2 else x.shape[1]) for x in values]
        return (
            [keras.KerasTensor((*shape, self.dim), dtype=self.compute_dtype) for shape in shapes],
            [keras.KerasTensor(shape, dtype="bool") for shape in shapes],
        )

    def get_config(self):
        return {
            **super().get_config(),
            "modalities": list(self.modalities),
            "dim": self.dim,
            "dropout": self.dropout,
            "placeholders": self.placeholders,
        }


def _or_placeholder(tokens, present, placeholder):
    """The placeholder as the first token of the samples that have none."""
    missing = ops.logical_not(ops.any(present, axis=1, keepdims=True))
    first = ops.expand_dims(ops.equal(ops.arange(ops.shape(tokens)[1]), 0), 0)
    place = ops.logical_and(missing, first)
    placeholder = ops.cast(placeholder, tokens.dtype)
    return (
        ops.where(ops.expand_dims(place, -1), placeholder, tokens),
        ops.logical_or(present, place),
    )
