import functools

import keras
from keras import ops

from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.dense import Dense


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class JumpingKnowledge(keras.layers.Layer):
    """Combines the features that a node had after each of a network's layers.

    ```
    concat:     h_i = [h_i⁽¹⁾; ...; h_i⁽ᴸ⁾]
    max:        h_i = max_l h_i⁽ˡ⁾
    attention:  h_i = Σ_l α_i⁽ˡ⁾ h_i⁽ˡ⁾,  α_i = softmax_l(w · [f_i⁽ˡ⁾; b_i⁽ˡ⁾] + c)
    ```

    with `f` and `b` the states of an LSTM that reads the layers forward and of one that reads them
    backward, so that each node chooses how far it looks.

    Args:
        mode: "concat", "max" or "attention".
        lstm_dim: int. Size of each LSTM's state in mode "attention". Defaults to
            `layers * dim // 2`.

    Call arguments:
        inputs: list of float tensors `(nodes, dim)` or `(batch, nodes, dim)`, one for each layer,
            in order; of the same dim, unless they are concatenated.

    Output shape:
        That of an input; concatenated, with the sum of the dims.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import JumpingKnowledge
    >>> layers = [np.ones((5, 8), "float32"), np.ones((5, 8), "float32")]
    >>> tuple(JumpingKnowledge("concat")(layers).shape)
    (5, 16)
    >>> tuple(JumpingKnowledge("attention")(layers).shape)
    (5, 8)

    Reference:
        Xu et al., "Representation Learning on Graphs with Jumping Knowledge Networks", 2018,
        section 4.
    """

    def __init__(self, mode="concat", lstm_dim=None, **kwargs):
        super().__init__(**kwargs)
        if mode not in ("concat", "max", "attention"):
            raise ValueError(
                "JumpingKnowledge: `mode` must be 'concat', 'max' or 'attention'. "
                f"Received: {mode!r}"
            )
        self.mode = mode
        self.lstm_dim = lstm_dim
        self.supports_masking = True

    def build(self, inputs_shape):
        if not isinstance(inputs_shape, list | tuple) or not isinstance(
            inputs_shape[0], list | tuple
        ):
            raise ValueError(
                "JumpingKnowledge: `inputs` must be a list of tensors, one for each layer. "
                f"Received shape: {inputs_shape}"
            )
        dims = {shape[-1] for shape in inputs_shape}
        if self.mode != "concat" and len(dims) > 1:
            raise ValueError(
                f"JumpingKnowledge: mode {self.mode!r} needs layers of the same dim. "
                f"Received: {sorted(dims)}. Concatenate them, or project them first."
            )
        if self.mode != "attention":
            return
        layers, dim = len(inputs_shape), inputs_shape[0][-1]
        units = self.lstm_dim or max(layers * dim // 2, 1)
        settings = {"dtype": self.dtype_policy}
        self.lstm = keras.layers.Bidirectional(
            keras.layers.LSTM(units, return_sequences=True, unroll=True, **settings), **settings
        )
        self.lstm.build((None, layers, dim))
        self.score_dense = Dense(1, name="score", **settings)
        self.score_dense.build((None, layers, 2 * units))

    def call(self, inputs):
        inputs = [cast_input(self, x) for x in inputs]
        if self.mode == "concat":
            return ops.concatenate(inputs, axis=-1)
        if self.mode == "max":
            return functools.reduce(ops.maximum, inputs)
        if 0 in inputs[0].shape:
            return inputs[0]  # TensorFlow's LSTM takes no empty batch.
        shape = ops.shape(inputs[0])
        # Every node is a sequence of its layers.
        x = ops.stack([ops.reshape(x, (-1, shape[-1])) for x in inputs], axis=1)
        scores = ops.cast(self.score_dense(self.lstm(x)), "float32")
        weights = ops.cast(ops.softmax(scores, axis=1), x.dtype)
        return ops.reshape(ops.sum(weights * x, axis=1), shape)

    def compute_mask(self, inputs, mask=None):
        return mask[0] if mask else None

    def compute_output_shape(self, inputs_shape):
        if self.mode == "concat":
            return (*inputs_shape[0][:-1], sum(shape[-1] for shape in inputs_shape))
        return tuple(inputs_shape[0])

    def get_config(self):
        return {**super().get_config(), "mode": self.mode, "lstm_dim": self.lstm_dim}
