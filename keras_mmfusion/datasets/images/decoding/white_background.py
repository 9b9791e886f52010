"""Removes the alpha channel of images by TensorFlow operations."""


def remove_alpha(image, drop_alpha=False):
    """Converts an RGBA image, uint8 `(height, width, 4)`, to RGB.

    Args:
        image: uint8 tensor `(height, width, 4)`.
        drop_alpha: bool. Whether to ignore transparency instead of blending with white.
    """
    return image[..., :3] if drop_alpha else blend_with_white(image)


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
