import math

import keras
import keras_hub

from keras_mmfusion._checks import check_choice
from keras_mmfusion._keras_internals import flatten_layers
from keras_mmfusion.encoders.efficientnet_lite import VARIANTS, efficientnet_lite
from keras_mmfusion.encoders.image_size import parse_image_size


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ImageEncoder(keras_hub.models.Backbone):
    """EfficientNet-Lite image encoder: `tokens = reshape(feature_map(images))`.

    The feature map is the network's last, after the 1280-channel head convolution, batch
    normalization and ReLU6. Its positions, row by row, are the tokens.

    Weights are initialized randomly. `ImageEncoder.from_preset(folder)` loads pretrained weights,
    and accepts any argument below to override the preset's, such as `image_size`.

    Args:
        variant: string. `"lite0"` (3.4 million parameters) or `"lite2"` (4.8 million).
        image_size: int or pair of ints (height, width). Defaults to the size that the variant
            was trained on: 224 for `"lite0"`, 260 for `"lite2"`.
        freeze_batch_norm: bool. Whether batch normalization stays frozen, with its moving
            statistics, when the encoder is trainable. This suits fine-tuning with small batches;
            set it to `False` to train from scratch.
        dtype: string or `keras.DTypePolicy`. The dtype policy of the layers.
        **kwargs: `name` and `trainable`. With `trainable=False` all weights are frozen, and batch
            normalization uses its moving statistics.

    Call arguments:
        images: float tensor `(batch, height, width, 3)`, RGB, normalized `(x - 127) / 128` from
            the range 0 to 255.

    Returns:
        Tokens `(batch, grid_height * grid_width, 1280)` in the policy's compute dtype. The grid
        is the image size over 32, rounded up.

    Attributes:
        image_size: pair of ints, (height, width) of the images.
        grid: pair of ints, (height, width) of the grid of tokens.
        token_dim: int, the size of a token.

    Raises:
        ValueError: if `variant` is unknown, or `image_size` is not one or two positive ints.

    Example:

    >>> import numpy as np
    >>> encoder = ImageEncoder("lite0", image_size=(64, 96))
    >>> encoder.grid, encoder.token_dim
    ((2, 3), 1280)
    >>> encoder(np.zeros((1, 64, 96, 3), "float32")).shape == (1, 6, 1280)
    True

    Reference:
        Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        ICML 2019 (https://arxiv.org/abs/1905.11946); the Lite variants in
        https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
    """

    # A class attribute too, since the base constructor may set `trainable`.
    freeze_batch_norm = False

    def __init__(
        self, variant="lite0", image_size=None, freeze_batch_norm=True, dtype=None, **kwargs
    ):
        check_choice(self, "variant", variant, VARIANTS)
        width, depth, default_size = VARIANTS[variant]
        image_size = parse_image_size(default_size if image_size is None else image_size)

        images = keras.Input((*image_size, 3), name="images")
        features = efficientnet_lite(images, width, depth, dtype)
        grid, token_dim = tuple(features.shape[1:3]), features.shape[3]
        tokens = keras.layers.Reshape((math.prod(grid), token_dim), name="tokens", dtype=dtype)(
            features
        )
        super().__init__(inputs=images, outputs=tokens, dtype=dtype, **kwargs)

        self.variant = variant
        self.image_size = image_size
        self.grid = grid
        self.token_dim = token_dim
        self.freeze_batch_norm = bool(freeze_batch_norm)
        # Call the setter: on TensorFlow the constructor's `trainable` does not reach the layers,
        # and Keras skips an assignment that does not change the value.
        ImageEncoder.trainable.fset(self, self.trainable)

    @property
    def trainable(self):
        """Whether the encoder's weights are trained."""
        return keras_hub.models.Backbone.trainable.fget(self)

    @trainable.setter
    def trainable(self, value):
        keras_hub.models.Backbone.trainable.fset(self, value)
        if self.freeze_batch_norm:
            for layer in flatten_layers(self, include_self=False):
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.trainable = False

    def split(self, blocks):
        """Splits the encoder into two models that share its layers.

        `upper(lower(images))` equals the encoder's tokens. While only the upper part is trained,
        the lower part's feature maps can be computed once for all epochs.

        Args:
            blocks: int. Number of last blocks in the upper part, which always includes the head
                convolution.

        Returns:
            A tuple of models: `lower`, from images to a feature map, and `upper`, from this map
            to tokens.
        """
        count = sum(layer.name.endswith("_project_convolution") for layer in self.layers)
        if not isinstance(blocks, int) or not 0 <= blocks < count:
            raise ValueError(
                f"`blocks` must be an integer in [0, {count - 1}], as the encoder has {count} "
                f"blocks. Received: {blocks!r}"
            )
        first = f"block_{count - blocks:02d}_expand" if blocks else "head"
        feature_map = self.get_layer(f"{first}_convolution").input
        return keras.Model(self.input, feature_map), keras.Model(feature_map, self.output)

    def get_config(self):
        return {
            **super().get_config(),
            "variant": self.variant,
            "image_size": list(self.image_size),
            "freeze_batch_norm": self.freeze_batch_norm,
        }
