import functools

import keras
from keras import ops

from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.dense import Dense


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class JumpingKnowledge(keras.layers.Layer):
    """Combines the node features of all layers of a graph network.

    ```
    concat:     h_i = [h_i⁽¹⁾; ...; h_i⁽ᴸ⁾]
    max:        h_i = max_l h_i⁽ˡ⁾
    attention:  h_i = Σ_l α_i⁽ˡ⁾ h_i⁽ˡ⁾,  α_i = softmax_l(w · [f_i⁽ˡ⁾; b_i⁽ˡ⁾] + c)
    ```

    `f` and `b` are the states of a bidirectional LSTM over the layers. Attention lets each node
    select its receptive field.

    Args:
        mode: "concat", "max" or "attention".
        lstm_dim: int. Size of each LSTM's state in mode "attention". Defaults to
            `layers * dim // 2`.

    Call arguments:
        inputs: list of float tensors `(nodes, dim)` or `(batch, nodes, dim)`, one per layer, in
            order. Dims may differ in mode "concat".

    Output shape:
        Same as each input; in mode "concat", the last dim is the sum of the inputs' dims.

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
                "JumpingKnowledge: `inputs` must be a list of tensors, one per layer. "
                f"Received shape: {inputs_shape}"
            )
        dims = {shape[-1] for shape in inputs_shape}
        if self.mode != "concat" and len(dims) > 1:
            raise ValueError(
                f"JumpingKnowledge: in mode {self.mode!r}, all inputs must have the same dim. "
                f"Received: {sorted(dims)}. Project them first, or use mode 'concat'."
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
            return inputs[0]  # TensorFlow's LSTM does not support an empty batch.
        shape = ops.shape(inputs[0])
        # Each node is a sequence, with one step per layer.
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
