"""An image converter that splits large images into tiles of the size that an encoder expects."""

import math

import keras
import numpy as np
from keras_hub.layers import ImageConverter

from keras_mmfusion._checks import check_choice, check_integer
from keras_mmfusion._keras_internals import uses_tensorflow_operations
from keras_mmfusion.datasets.images.pillow_resizing import INTERPOLATIONS, resize_with_pillow
from keras_mmfusion.encoders.pillow_image_converter import convert_to_uint8, scale_images

_LONGEST_EDGE = 4096


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TiledImageConverter(ImageConverter):
    """Splits an image into square tiles, which are followed by the whole image.

    ```
    large = resize(image), with the longer edge `longest_edge` and the same aspect ratio
    large = resize(large), to multiples of `tile_size`
    tiles = [the tiles of large, row by row; resize(large) to one tile]
    output = scale * tiles + offset
    ```

    An encoder of small images thus sees the details of a large one. The pixels are exactly those of
    Pillow, see `PillowImageConverter`.

    Args:
        tile_size: int. The height and width of a tile.
        longest_edge: int, at most 4096. The length of the longer edge before the split. Smaller
            images are enlarged.
        split: bool. Without it, each image becomes one tile, the whole image.
        scale: float, tuple of floats (one for each channel), or `None` for no scaling.
        offset: float, tuple of floats (one for each channel), or `None` for no offset.
        interpolation: string. `"bilinear"`, `"bicubic"` or `"lanczos"`.
        drop_alpha: bool. See `PillowImageConverter`.
        **kwargs: passed to `keras_hub.layers.ImageConverter`.

    Call arguments:
        image: array or tensor `(height, width, 3)` with values from 0 to 255. Floats are rounded.

    Returns:
        Float tiles `(rows * columns + 1, tile_size, tile_size, 3)`, and the tuple of ints
        `(rows, columns)`. An image that is not split has one tile, and `(0, 0)`.

    Raises:
        ValueError: if an argument is invalid, the image does not have such a shape, or the layer is
            called inside a TensorFlow graph.

    Example:

    >>> converter = TiledImageConverter(tile_size=32, longest_edge=64, scale=1 / 255)
    >>> tiles, grid = converter(np.zeros((100, 180, 3), "uint8"))
    >>> tuple(tiles.shape), grid
    ((5, 32, 32, 3), (2, 2))

    Reference:
        Laurençon et al., "Building and better understanding vision-language models: insights and
        future directions", 2024 (https://arxiv.org/abs/2408.12637), section 3.2.
    """

    def __init__(
        self,
        tile_size=512,
        longest_edge=2048,
        split=True,
        scale=None,
        offset=None,
        interpolation="lanczos",
        drop_alpha=False,
        **kwargs,
    ):
        check_choice(self, "interpolation", interpolation, INTERPOLATIONS)
        super().__init__(scale=scale, offset=offset, data_format="channels_last", **kwargs)
        self.tile_size = check_integer(self, "tile_size", tile_size)
        self.longest_edge = check_integer(self, "longest_edge", longest_edge, maximum=_LONGEST_EDGE)
        self.split = bool(split)
        self.interpolation = interpolation
        self.drop_alpha = drop_alpha

    def call(self, image):
        if uses_tensorflow_operations(self):
            raise ValueError(
                "TiledImageConverter: the number of tiles depends on the image, so the layer must "
                "be called eagerly. Convert the images before the `tf.data` pipeline."
            )
        image = convert_to_uint8(image)
        if image.ndim != 3:
            raise ValueError(
                f"`image` must have the shape (height, width, 3). Received: {image.shape}. "
                "Convert the images of a batch one by one."
            )
        image = self._resize(image, _find_size(*image.shape[:2], self.longest_edge))
        tiles, grid = [], (0, 0)
        if self.split:
            image = self._resize(image, _find_tiled_size(*image.shape[:2], self.tile_size))
            tiles, grid = self._cut(image)
        tiles.append(self._resize(image, (self.tile_size, self.tile_size)))
        tiles = scale_images(self, np.stack(tiles).astype("float32"))
        return keras.ops.convert_to_tensor(tiles, self.compute_dtype), grid

    def _cut(self, image):
        """Returns the tiles of an image, and their numbers of rows and columns."""
        rows, columns = (length // self.tile_size for length in image.shape[:2])
        if rows * columns == 1:
            return [], (0, 0)
        tiles = image.reshape(rows, self.tile_size, columns, self.tile_size, 3).swapaxes(1, 2)
        return [tile for row in tiles for tile in row], (rows, columns)

    def _resize(self, image, size):
        return resize_with_pillow(image, size, self.interpolation)

    def get_config(self):
        config = {
            **super().get_config(),
            "tile_size": self.tile_size,
            "longest_edge": self.longest_edge,
            "split": self.split,
            "drop_alpha": self.drop_alpha,
        }
        for name in ("image_size", "antialias", "crop_to_aspect_ratio", "pad_to_aspect_ratio"):
            del config[name]
        return config


def _find_size(height, width, longest_edge):
    """Returns the size with a given longer edge; the other edge is even."""
    size = _scale_size(height, width, longest_edge)
    even = (length if length == longest_edge else length + length % 2 for length in size)
    return tuple(max(length, 1) for length in even)


def _find_tiled_size(height, width, tile_size):
    """Returns the smallest size in multiples of `tile_size` that is not smaller."""
    longest_edge = math.ceil(max(height, width) / tile_size) * tile_size
    size = _scale_size(height, width, longest_edge)
    return tuple(math.ceil(length / tile_size) * tile_size for length in size)


def _scale_size(height, width, longest_edge):
    """Returns the size with a given longer edge and the same aspect ratio, rounded down."""
    ratio = width / height  # The order of operations decides how the quotient is rounded.
    if width >= height:
        return int(longest_edge / ratio), longest_edge
    return longest_edge, int(longest_edge * ratio)
