"""Whether images are read with their transparency."""


def drops_alpha(preprocessor):
    """Returns whether the images of a preprocessor are read without their transparency.

    Args:
        preprocessor: a preprocessor with an `image_converter`, or any other object.

    Returns:
        The `drop_alpha` of `read_image` and of the data sets for this preprocessor.
    """
    converter = getattr(preprocessor, "image_converter", None)
    return getattr(converter, "drop_alpha", False)
