"""An image converter that keeps aspect ratios and pads the images of a batch."""

import keras
import numpy as np
from keras_hub.layers import ImageConverter

from keras_mmfusion._checks import check_choice, check_integer
from keras_mmfusion._keras_internals import uses_tensorflow_operations
from keras_mmfusion.datasets.images.pillow_resizing import (
    INTERPOLATIONS,
    resize_like_pillow,
    resize_with_pillow,
)
from keras_mmfusion.encoders.pillow_image_converter import (
    convert_to_uint8,
    convert_to_uint8_tensor,
    scale_images,
)


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class AspectRatioImageConverter(ImageConverter):
    """Resizes images to about their aspect ratio, scales them, and pads them to one size.

    ```
    s = shortest_edge / min(height, width), reduced so that no edge exceeds longest_edge
    size = multiple * floor(round(s * (height, width)) / multiple)
    output = scale * resize(image, size) + offset, then zeros at the bottom and at the right
    ```

    The pixels are exactly those of Pillow, see `PillowImageConverter`.

    Args:
        shortest_edge: int. The length of the shorter edge.
        longest_edge: int. The maximum length of the longer edge. Defaults to
            `shortest_edge * 1333 / 800`, rounded down.
        multiple: int. Both lengths are rounded down to multiples of it, but at least to itself.
        scale: float, tuple of floats (one for each channel), or `None` for no scaling.
        offset: float, tuple of floats (one for each channel), or `None` for no offset.
        interpolation: string. `"bilinear"`, `"bicubic"` or `"lanczos"`.
        drop_alpha: bool. See `PillowImageConverter`.
        **kwargs: passed to `keras_hub.layers.ImageConverter`.

    Call arguments:
        inputs: images with values from 0 to 255, `(height, width, 3)` or
            `(batch, height, width, 3)`, or a list of images of different sizes. Floats are rounded.

    Returns:
        A tuple of float images `(batch, height, width, 3)` and their sizes without padding,
        int32 `(batch, 2)`: heights and widths. Without batch axes for a single image.

    Raises:
        ValueError: if an argument is invalid, or the images do not have such a shape.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.encoders import AspectRatioImageConverter
    >>> converter = AspectRatioImageConverter(shortest_edge=64, multiple=32)
    >>> images, sizes = converter([np.zeros((50, 80, 3)), np.zeros((80, 50, 3))])
    >>> tuple(images.shape), sizes.tolist()
    ((2, 96, 96, 3), [[64, 96], [96, 64]])

    Reference:
        Kim et al., "ViLT: Vision-and-Language Transformer Without Convolution or Region
        Supervision", 2021, section 4.1.
    """

    def __init__(
        self,
        shortest_edge=384,
        longest_edge=None,
        multiple=32,
        scale=None,
        offset=None,
        interpolation="bicubic",
        drop_alpha=False,
        **kwargs,
    ):
        check_choice(self, "interpolation", interpolation, INTERPOLATIONS)
        super().__init__(
            scale=scale,
            offset=offset,
            crop_to_aspect_ratio=False,
            data_format="channels_last",
            **kwargs,
        )
        self.interpolation = interpolation
        self.drop_alpha = drop_alpha
        self.multiple = check_integer(self, "multiple", multiple)
        self.shortest_edge = check_integer(self, "shortest_edge", shortest_edge, multiple)
        if longest_edge is None:
            longest_edge = int(1333 / 800 * shortest_edge)
        self.longest_edge = check_integer(self, "longest_edge", longest_edge, shortest_edge)

    def call(self, inputs):
        if uses_tensorflow_operations(self):
            return self._convert_tensor(inputs)
        is_list = isinstance(inputs, (list, tuple))
        images = [self._convert(image) for image in inputs] if is_list else self._convert(inputs)
        sizes = np.array(
            [image.shape[-3:-1] for image in images] if is_list else images.shape[-3:-1]
        )
        if is_list:
            images = _pad_and_stack(images, sizes.max(axis=0))
        elif images.ndim == 4:
            sizes = np.tile(sizes, (len(images), 1))
        return keras.ops.convert_to_tensor(images, self.compute_dtype), sizes.astype("int32")

    def compute_size(self, height, width):
        """Returns the size `(height, width)` of an image of the given size after resizing."""
        scale = self.shortest_edge / min(height, width)
        size = [scale * height, scale * width]
        if max(size) > self.longest_edge:
            scale = self.longest_edge / max(size)
            size = [scale * length for length in size]
        return tuple(max(int(length + 0.5) // self.multiple, 1) * self.multiple for length in size)

    def _convert(self, images):
        images = convert_to_uint8(images)
        size = self.compute_size(*images.shape[-3:-1])
        images = resize_with_pillow(images, size, self.interpolation)
        return scale_images(self, images.astype("float32"))

    def _convert_tensor(self, images):
        import tensorflow as tf

        images = convert_to_uint8_tensor(images)
        size = self._compute_size_tensor(tf.shape(images)[-3:-1])
        images = resize_like_pillow(images, size, self.interpolation)
        images = scale_images(self, tf.cast(images, "float32"))
        if images.shape.rank == 4:
            size = tf.tile(size[tf.newaxis], [tf.shape(images)[0], 1])
        return tf.cast(images, self.compute_dtype), size

    def _compute_size_tensor(self, size):
        import tensorflow as tf

        size = tf.cast(size, "float64")
        size = self.shortest_edge / tf.reduce_min(size) * size
        longest = tf.reduce_max(size)
        size = tf.where(longest > self.longest_edge, self.longest_edge / longest * size, size)
        count = tf.cast(size + 0.5, "int32") // self.multiple
        return tf.maximum(count, 1) * self.multiple

    def get_config(self):
        config = {
            **super().get_config(),
            "shortest_edge": self.shortest_edge,
            "longest_edge": self.longest_edge,
            "multiple": self.multiple,
            "drop_alpha": self.drop_alpha,
        }
        for name in ("image_size", "antialias", "crop_to_aspect_ratio", "pad_to_aspect_ratio"):
            del config[name]
        return config


def _pad_and_stack(images, size):
    stacked = np.zeros((len(images), *size, 3), "float32")
    for row, image in zip(stacked, images, strict=True):
        row[: image.shape[0], : image.shape[1]] = image
    return stacked
