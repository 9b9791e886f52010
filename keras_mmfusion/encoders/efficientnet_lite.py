"""EfficientNet-Lite: the convolutional network under `ImageEncoder`."""

import math
from typing import NamedTuple

import keras


class Variant(NamedTuple):
    """Scale factors of a variant and the image size that it was trained on."""

    width: float
    depth: float
    image_size: int


class Stage(NamedTuple):
    """Consecutive blocks of the base network; only the first block has the stride."""

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

# In the Lite variants the width does not scale the stem and the head.
STEM_FILTERS = 32
HEAD_FILTERS = 1280


def scale_filters(filters, width, divisor=8):
    """Scales a number of filters to the nearest multiple of `divisor`, at most 10 % below.

    Example:

    >>> [scale_filters(filters, 1.1) for filters in (16, 24, 40, 320)]
    [16, 24, 48, 352]
    """
    scaled = filters * width
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * scaled else rounded


def scale_stages(width, depth):
    """Scales the base network's stages; the first and last stage keep their repeats."""
    last = len(STAGES) - 1
    return [
        stage._replace(
            filters=scale_filters(stage.filters, width),
            repeats=stage.repeats if index in (0, last) else math.ceil(depth * stage.repeats),
        )
        for index, stage in enumerate(STAGES)
    ]


def efficientnet_lite(images, width, depth, dtype=None):
    """Applies EfficientNet-Lite to images, as a graph of Keras layers.

    Unlike EfficientNet, the Lite variants have no squeeze-and-excitation, use ReLU6 instead of
    swish, and do not scale the stem, the head and the depth of the first and last stage.

    Args:
        images: Keras tensor `(batch, height, width, 3)`, normalized `(x - 127) / 128`.
        width: float. Multiplies the filters of the stages.
        depth: float. Multiplies the blocks of the stages.
        dtype: the dtype policy of the layers.

    Returns:
        Keras tensor `(batch, ceil(height / 32), ceil(width / 32), 1280)`.

    Reference:
        Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        ICML 2019, table 1; the Lite variants are from the same authors' TPU model repository.
    """
    x = _convolution(images, STEM_FILTERS, 3, 2, "stem", dtype)
    index = 0
    for stage in scale_stages(width, depth):
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            x = _inverted_residual(x, stage, stride, f"block_{index:02d}", dtype)
            index += 1
    return _convolution(x, HEAD_FILTERS, 1, 1, "head", dtype)


def _inverted_residual(inputs, stage, stride, name, dtype):
    """1x1 expansion, depthwise convolution, 1x1 projection; a residual where shapes allow it."""
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
    # Fan-out, since Keras's fan-in of a depthwise kernel counts all channels, although each
    # output has one: such kernels would be too small.
    return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")
