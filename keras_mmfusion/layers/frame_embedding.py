import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.cast_input import cast_input


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class FrameEmbedding(keras.layers.Layer):
    """Adds a learned vector for each frame of a video to the tokens of the frame.

    ```
    y[:, f, t] = x[:, f, t] + e_f
    ```

    Args:
        num_frames: int. Maximum number of frames.

    Call arguments:
        x: float tensor `(batch, frames, tokens, dim)`.

    Output shape:
        Same as `x`.

    Raises:
        ValueError: if there are more than `num_frames` frames.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import FrameEmbedding
    >>> tuple(FrameEmbedding(num_frames=6)(np.zeros((1, 4, 5, 8))).shape)
    (1, 4, 5, 8)

    Reference:
        Wang et al., "GIT: A Generative Image-to-text Transformer for Vision and Language", 2022,
        section 3.4.
    """

    def __init__(self, num_frames, **kwargs):
        super().__init__(**kwargs)
        self.num_frames = check_integer(self, "num_frames", num_frames)

    def build(self, x_shape):
        self.embeddings = self.add_weight(
            (self.num_frames, x_shape[-1]), "zeros", name="embeddings"
        )

    def call(self, x):
        frames = x.shape[1]
        if frames is not None and frames > self.num_frames:
            raise ValueError(
                f"FrameEmbedding: a video must have at most {self.num_frames} frames. "
                f"Received: {frames}"
            )
        x = cast_input(self, x)
        embeddings = ops.cast(self.embeddings, x.dtype)[: ops.shape(x)[1]]
        return x + ops.expand_dims(embeddings, 1)

    def compute_output_shape(self, x_shape):
        return x_shape

    def get_config(self):
        return {**super().get_config(), "num_frames": self.num_frames}
