import keras
from keras import ops


def flatten_feature_map(features):
    """Flattens a feature map into tokens, row by row; tokens and vectors are unchanged.

    Args:
        features: tensor `(batch, height, width, channels)`, or `(batch, channels, height, width)`
            with Keras's `channels_first`; or a tensor of lower rank.

    Returns:
        Tensor `(batch, height * width, channels)`, or `features`.
    """
    if len(features.shape) != 4:
        return features
    if keras.config.image_data_format() == "channels_first":
        features = ops.transpose(features, (0, 2, 3, 1))
    height, width, channels = ops.shape(features)[1:]
    return ops.reshape(features, (-1, height * width, channels))
