import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.cast_input import cast_mask
from keras_mmfusion.layers.flatten_feature_map import flatten_feature_map
from keras_mmfusion.layers.frame_embedding import FrameEmbedding
from keras_mmfusion.layers.masks import zero_masked
from keras_mmfusion.layers.temporal.temporal_mean_pooling import TemporalMeanPooling


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class VideoEncoder(keras.Model):
    """Applies an image encoder to each frame of a video and fuses the frames over time.

    ```
    x[:, f] = image_encoder(videos[:, f]) + e_f
    tokens = temporal_fusion(x)
    ```

    The vectors `e_f`, the positions of the frames in time, are learned and initialized to zero.

    Args:
        image_encoder: layer or model that maps images to tokens `(batch, tokens, dim)`, a feature
            map `(batch, height, width, channels)`, or vectors `(batch, dim)`.
        temporal_fusion: `TemporalTransformer`, `DividedSpaceTimeTransformer`,
            `TemporalBottleneck`, or `TemporalMeanPooling`, which is the default.
        num_frames: int. Maximum number of frames, and the number that models read from a file.
        dtype: string or `keras.DTypePolicy`. The dtype policy of this model's own weights.
        **kwargs: `name` and `trainable`.

    Call arguments:
        videos: float tensor `(batch, frames, height, width, 3)`, preprocessed as for the image
            encoder.
        mask: bool tensor `(batch, frames)`. Masked frames, NaN included, do not affect the output.
        training: bool. Whether dropout is active.

    Output shape:
        Tokens `(batch, tokens, dim)`; see the temporal fusion for their number. `compute_mask`
        returns their mask.

    Raises:
        ValueError: if an argument is invalid, or a video has more than `num_frames` frames.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.encoders import VideoEncoder, VisionTransformer
    >>> from keras_mmfusion.layers import TemporalTransformer
    >>> image_encoder = VisionTransformer(
    ...     image_size=32, patch_size=16, dim=8, num_layers=1, num_heads=2, mlp_dim=16)
    >>> encoder = VideoEncoder(image_encoder, TemporalTransformer(num_heads=2), num_frames=6)
    >>> tuple(encoder(np.zeros((2, 6, 32, 32, 3), "float32")).shape)
    (2, 6, 8)
    """

    def __init__(self, image_encoder, temporal_fusion=None, num_frames=8, dtype=None, **kwargs):
        super().__init__(dtype=dtype, autocast=False, **kwargs)
        self.image_encoder = image_encoder
        if temporal_fusion is None:
            temporal_fusion = TemporalMeanPooling(dtype=dtype, name="temporal_fusion")
        self.temporal_fusion = temporal_fusion
        self.num_frames = check_integer(self, "num_frames", num_frames)
        self.frame_embedding = FrameEmbedding(num_frames, dtype=dtype, name="frame_embedding")
        self.supports_masking = True

    @property
    def input_shape(self):
        """Batch shape of videos, or `None` if the image encoder does not specify it."""
        shape = getattr(self.image_encoder, "input_shape", None)
        return (None, self.num_frames, *shape[1:]) if isinstance(shape, tuple) else None

    @property
    def grid(self):
        """Pair of ints, the grid of tokens of a frame; `None` if the fusion does not keep it."""
        keeps_positions = getattr(self.temporal_fusion, "keeps_positions", False)
        return getattr(self.image_encoder, "grid", None) if keeps_positions else None

    @property
    def token_dim(self):
        """Int, the size of a token, if the image encoder specifies it; otherwise `None`."""
        return getattr(self.image_encoder, "token_dim", None)

    def build(self, videos_shape):
        tokens = self._encode_frames(keras.KerasTensor(videos_shape, dtype="float32"))
        self._tokens_per_frame = tokens.shape[2]
        for layer in (self.frame_embedding, self.temporal_fusion):
            if not layer.built:  # The layers of a saved model are built when it is loaded.
                layer.build(tokens.shape)
        self.built = True

    def call(self, videos, mask=None, training=None):
        mask = cast_mask(mask)
        tokens = self._encode_frames(zero_masked(videos, mask), training)
        return self.temporal_fusion(self.frame_embedding(tokens), mask=mask, training=training)

    def _encode_frames(self, videos, training=None):
        """Returns the tokens of each frame, `(batch, frames, tokens, dim)`."""
        if len(videos.shape) != 5:
            raise ValueError(
                "VideoEncoder: `videos` must have the shape (batch, frames, height, width, 3). "
                f"Received shape: {tuple(videos.shape)}"
            )
        frames, *image_shape = ops.shape(videos)[1:]
        images = ops.reshape(videos, (-1, *image_shape))
        tokens = flatten_feature_map(self.image_encoder(images, training=training))
        count = 1 if len(tokens.shape) == 2 else ops.shape(tokens)[1]
        return ops.reshape(tokens, (-1, frames, count, tokens.shape[-1]))

    def compute_mask(self, videos, mask=None):
        """Returns the mask of the tokens for a mask of frames, or `None` if all are valid."""
        if mask is None:
            return None
        return self.temporal_fusion.mask_tokens(cast_mask(mask), self._tokens_per_frame)

    def get_config(self):
        return {
            "image_encoder": keras.saving.serialize_keras_object(self.image_encoder),
            "temporal_fusion": keras.saving.serialize_keras_object(self.temporal_fusion),
            "num_frames": self.num_frames,
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config):
        parts = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("image_encoder", "temporal_fusion")
        }
        return cls(**{**config, **parts})
