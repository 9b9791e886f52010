"""An image converter with the same pixels as Pillow on every backend."""

import keras
import numpy as np
from keras_hub.layers import ImageConverter

from keras_mmfusion._checks import check_choice
from keras_mmfusion._keras_internals import uses_tensorflow_operations
from keras_mmfusion.datasets.images.pillow_resizing import (
    INTERPOLATIONS,
    resize_like_pillow,
    resize_with_pillow,
)


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class PillowImageConverter(ImageConverter):
    """Resizes images with exactly the pixels of Pillow, then scales them.

        output = scale * resize(image) + offset

    Most public checkpoints were trained on images resized by Pillow, with antialiasing and 8-bit
    results. The resizing operations of TensorFlow, JAX and PyTorch give other pixels. Eager calls
    of this layer use Pillow; inside `tf.data` pipelines and exported graphs, TensorFlow operations
    compute the same pixels.

    Args:
        image_size: tuple of ints, `(height, width)`, the size of the outputs.
        scale: float, tuple of floats (one for each channel), or `None` for no scaling.
        offset: float, tuple of floats (one for each channel), or `None` for no offset.
        interpolation: string. `"bilinear"`, `"bicubic"` or `"lanczos"`.
        shortest_edge: int or `None`. With an int, the shorter edge of an image is resized to this
            length, its aspect ratio is kept, and the center is cropped. With `None`, images are
            resized to `resized_size` regardless of their aspect ratio.
        resized_size: tuple of ints, `(height, width)`, or `None` for `image_size`. If it is larger
            than `image_size`, the center is cropped.
        drop_alpha: bool. Whether image files are read without their transparency, as transformers
            does, for models whose preprocessor has this converter. Otherwise, transparent pixels
            are blended with white.
        **kwargs: passed to `keras_hub.layers.ImageConverter`.

    Call arguments:
        inputs: images with values from 0 to 255, `(height, width, 3)` or
            `(batch, height, width, 3)`, or a list of images of different sizes. Floats are rounded.

    Returns:
        Float images `(*image_size, 3)` or `(batch, *image_size, 3)`.

    Raises:
        ValueError: if an argument is invalid, or the images do not have such a shape.

    Example:

    >>> image = np.array([[[0] * 3, [90] * 3, [240] * 3]], "uint8")
    >>> converter = PillowImageConverter(image_size=(1, 2), scale=1 / 255)
    >>> [round(float(value) * 255) for value in converter(image)[0, :, 0]]
    [25, 191]
    """

    def __init__(
        self,
        image_size,
        scale=None,
        offset=None,
        interpolation="bicubic",
        shortest_edge=None,
        drop_alpha=False,
        resized_size=None,
        **kwargs,
    ):
        check_choice(self, "interpolation", interpolation, INTERPOLATIONS)
        if shortest_edge is not None and shortest_edge < max(image_size):
            raise ValueError(
                "`shortest_edge` must not be smaller than the crop, `image_size`. "
                f"Received: shortest_edge={shortest_edge}, image_size={image_size}"
            )
        resized_size = tuple(resized_size or image_size)
        if any(a < b for a, b in zip(resized_size, image_size, strict=True)):
            raise ValueError(
                "`resized_size` must not be smaller than the crop, `image_size`. "
                f"Received: resized_size={resized_size}, image_size={image_size}"
            )
        super().__init__(
            image_size=tuple(image_size),
            scale=scale,
            offset=offset,
            crop_to_aspect_ratio=False,
            data_format="channels_last",
            **kwargs,
        )
        self.interpolation = interpolation
        self.shortest_edge = shortest_edge
        self.drop_alpha = drop_alpha
        self.resized_size = resized_size

    def call(self, inputs):
        if uses_tensorflow_operations(self):
            return self._convert_tensor(inputs)
        if isinstance(inputs, (list, tuple)):
            return keras.ops.stack([self.call(image) for image in inputs])
        images = convert_to_uint8(inputs)
        if self.shortest_edge is not None:
            height, width = images.shape[-3:-1]
            shorter = min(height, width)
            size = (height * self.shortest_edge // shorter, width * self.shortest_edge // shorter)
            images = resize_with_pillow(images, size, self.interpolation)
            images = self._crop(images, *size)
        else:
            images = resize_with_pillow(images, self.resized_size, self.interpolation)
            images = self._crop(images, *self.resized_size)
        images = scale_images(self, images.astype("float32"))
        return keras.ops.convert_to_tensor(images, self.compute_dtype)

    def _convert_tensor(self, images):
        import tensorflow as tf

        images = convert_to_uint8_tensor(images)
        if self.shortest_edge is not None:
            size = tf.cast(tf.shape(images)[-3:-1], "int64")
            size = tf.cast(size * self.shortest_edge // tf.reduce_min(size), "int32")
            images = resize_like_pillow(images, size, self.interpolation)
            images = self._crop(images, size[0], size[1])
            images = tf.ensure_shape(images, [*images.shape[:-3], *self.image_size, 3])
        else:
            images = resize_like_pillow(images, self.resized_size, self.interpolation)
            images = self._crop(images, *self.resized_size)
        return tf.cast(scale_images(self, tf.cast(images, "float32")), self.compute_dtype)

    def _crop(self, images, height, width):
        """Crops the center of images of the given size."""
        new_height, new_width = self.image_size
        top, left = (height - new_height) // 2, (width - new_width) // 2
        return images[..., top : top + new_height, left : left + new_width, :]

    def get_config(self):
        config = {
            **super().get_config(),
            "shortest_edge": self.shortest_edge,
            "drop_alpha": self.drop_alpha,
            "resized_size": list(self.resized_size),
        }
        for name in ("antialias", "crop_to_aspect_ratio", "pad_to_aspect_ratio"):
            del config[name]
        return config


def scale_images(converter, images):
    """Applies the `scale` and the `offset` of an image converter to float32 images."""
    if converter.scale is not None:
        images = images * np.asarray(converter.scale, "float32")
    if converter.offset is not None:
        images = images + np.asarray(converter.offset, "float32")
    return images


def convert_to_uint8(images):
    """Converts an array or a tensor of any backend to a uint8 array; floats are rounded."""
    images = np.asarray(keras.ops.convert_to_numpy(images))
    _check_shape(images.shape)
    if images.dtype != np.uint8:
        images = np.clip(np.round(images.astype("float32")), 0, 255).astype("uint8")
    return np.ascontiguousarray(images)


def convert_to_uint8_tensor(images):
    """Implements `convert_to_uint8` with TensorFlow operations."""
    import tensorflow as tf

    images = tf.convert_to_tensor(images)
    _check_shape(images.shape)
    if images.dtype != tf.uint8:
        images = tf.round(tf.cast(images, "float32"))
        images = tf.cast(tf.clip_by_value(images, 0.0, 255.0), "uint8")
    return images


def _check_shape(shape):
    if len(shape) not in (3, 4) or shape[-1] != 3:
        raise ValueError(
            "Images must have the shape (height, width, 3) or (batch, height, width, 3). "
            f"Received: {tuple(shape)}"
        )
