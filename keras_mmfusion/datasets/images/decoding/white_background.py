"""Blends transparent pixels with white by TensorFlow operations."""


def blend_with_white(image):
    """Blends an RGBA image with a white background, with the rounding of Pillow.

    Args:
        image: uint8 tensor `(height, width, 4)`.

    Returns:
        Uint8 tensor `(height, width, 3)`.
    """
    import tensorflow as tf

    image = tf.cast(image, "int32")
    color, alpha = image[..., :3], image[..., 3:]
    return tf.cast((color * alpha + 255 * (255 - alpha) + 127) // 255, "uint8")
