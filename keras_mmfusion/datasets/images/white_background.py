"""Transparent pixels laid over white by TensorFlow operations."""


def over_white(image):
    """RGBA over white, rounded as Pillow rounds it.

    Args:
        image: uint8 tensor `(height, width, 4)`.

    Returns:
        Uint8 tensor `(height, width, 3)`.
    """
    import tensorflow as tf

    image = tf.cast(image, "int32")
    color, opacity = image[..., :3], image[..., 3:]
    return tf.cast((color * opacity + 255 * (255 - opacity) + 127) // 255, "uint8")
