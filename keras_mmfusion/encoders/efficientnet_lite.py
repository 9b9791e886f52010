"""EfficientNet-Lite: the convolutional network under `ImageEncoder`."""

import math
from typing import NamedTuple

import keras


class Variant(NamedTuple):
    """How a variant scales the base network, and the image size that it was trained at."""

    width: float
    depth: float
    image_size: int


class Stage(NamedTuple):
    """A run of blocks of the base network; only its first block has the stride."""

    repeats: int
    kernel_size: int
    stride: int
    expansion: int
    filters: int


VARIANTS = {
    "lite0": Variant(width=1.0, depth=1.0, image_size=224),
    "lite2": Variant(width=1.1, depth=1.2, image_size=260),
}

STAGES = (
    Stage(repeats=1, kernel_size=3, stride=1, expansion=1, filters=16),
    Stage(repeats=2, kernel_size=3, stride=2, expansion=6, filters=24),
    Stage(repeats=2, kernel_size=5, stride=2, expansion=6, filters=40),
    Stage(repeats=3, kernel_size=3, stride=2, expansion=6, filters=80),
    Stage(repeats=3, kernel_size=5, stride=1, expansion=6, filters=112),
    Stage(repeats=4, kernel_size=5, stride=2, expansion=6, filters=192),
    Stage(repeats=1, kernel_size=3, stride=1, expansion=6, filters=320),
)

# The Lite variants keep the stem and the head at the base network's width.
STEM_FILTERS = 32
HEAD_FILTERS = 1280


def scale_filters(filters, width, divisor=8):
    """Number of filters at a width: the nearest multiple of `divisor`, at most 10 % below.

    Example:

    >>> [scale_filters(filters, 1.1) for filters in (16, 24, 40, 320)]
    [16, 24, 48, 352]
    """
    scaled = filters * width
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * scaled else rounded


def scaled_stages(width, depth):
    """The base network's stages at a width and depth; first and last stage keep their repeats."""
    last = len(STAGES) - 1
    return [
        stage._replace(
            filters=scale_filters(stage.filters, width),
            repeats=stage.repeats if index in (0, last) else math.ceil(depth * stage.repeats),
        )
        for index, stage in enumerate(STAGES)
    ]


def efficientnet_lite(images, width, depth, dtype=None):
    """EfficientNet-Lite from images to the last feature map, as a graph of Keras layers.

    Against EfficientNet, the Lite variants have no squeeze-and-excitation, ReLU6 in place of
    swish, and leave the stem, the head and the depth of the first and last stage unscaled.

    Args:
        images: Keras tensor `(batch, height, width, 3)`, normalized `(x - 127) / 128`.
        width: float. Multiplies the filters of the stages.
        depth: float. Multiplies the blocks of the stages.
        dtype: the dtype policy of the layers.

    Returns:
        Keras tensor `(batch, ceil(height / 32), ceil(width / 32), 1280)`.

    Reference:
        Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        ICML 2019, table 1; the Lite variants are by the same authors' TPU model repository.
    """
    x = _convolution(images, STEM_FILTERS, 3, 2, "stem", dtype)
    index = 0
    for stage in scaled_stages(width, depth):
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            x = _inverted_residual(x, stage, stride, f"block_{index:02d}", dtype)
            index += 1
    return _convolution(x, HEAD_FILTERS, 1, 1, "head", dtype)


def _inverted_residual(inputs, stage, stride, name, dtype):
    """Widen by 1x1, filter each channel, narrow by 1x1; add the input where shapes allow it."""
    channels = inputs.shape[-1]
    x = inputs
    if stage.expansion != 1:
        x = _convolution(x, channels * stage.expansion, 1, 1, f"{name}_expand", dtype)
    x = _depthwise_convolution(x, stage.kernel_size, stride, f"{name}_depthwise", dtype)
    x = _convolution(x, stage.filters, 1, 1, f"{name}_project", dtype, activation=False)
    if stride == 1 and channels == stage.filters:
        x = keras.layers.Add(name=f"{name}_add", dtype=dtype)([x, inputs])
    return x


def _convolution(x, filters, kernel_size, strides, name, dtype, activation=True):
    x = keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        data_format="channels_last",
        kernel_initializer=_initializer(),
        name=f"{name}_convolution",
        dtype=dtype,
    )(x)
    return _normalization(x, name, dtype, activation)


def _depthwise_convolution(x, kernel_size, strides, name, dtype):
    x = keras.layers.DepthwiseConv2D(
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        data_format="channels_last",
        depthwise_initializer=_initializer(),
        name=f"{name}_convolution",
        dtype=dtype,
    )(x)
    return _normalization(x, name, dtype)


def _normalization(x, name, dtype, activation=True):
    x = keras.layers.BatchNormalization(
        axis=-1, epsilon=1e-3, name=f"{name}_normalization", dtype=dtype
    )(x)
    if activation:
        x = keras.layers.ReLU(max_value=6.0, name=f"{name}_activation", dtype=dtype)(x)
    return x


def _initializer():
    # By the fan out, so that a depthwise kernel, whose fan in counts every channel though it
    # reads one, does not start out vanishing.
    return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")
