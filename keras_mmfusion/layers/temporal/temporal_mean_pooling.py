import keras
from keras import ops

from keras_mmfusion.layers.masks import average_tokens
from keras_mmfusion.layers.temporal.temporal_fusion import TemporalFusion


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TemporalMeanPooling(TemporalFusion):
    """Averages the tokens of the frames at each position; the order of frames has no effect.

    ```
    y[:, t] = mean_f x[:, f, t]      over unmasked frames; zeros if there is none
    ```

    Call arguments: see `TemporalFusion`.

    Output shape:
        `(batch, tokens, dim)`, without masked tokens.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import TemporalMeanPooling
    >>> tuple(TemporalMeanPooling()(np.ones((2, 6, 9, 8))).shape)
    (2, 9, 8)
    """

    keeps_positions = True

    def fuse(self, tokens, mask, training):
        frames, count, dim = ops.shape(tokens)[1:]
        pooled = average_tokens(ops.reshape(tokens, (-1, frames, count * dim)), mask)
        return ops.reshape(pooled, (-1, count, dim))

    def compute_output_shape(self, tokens_shape):
        return (tokens_shape[0], *tokens_shape[2:])
