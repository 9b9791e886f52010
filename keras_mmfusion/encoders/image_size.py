def parse_image_size(image_size):
    """Returns the pair of ints (height, width) of one positive int or of such a pair.

    Raises:
        ValueError: if `image_size` is neither.
    """
    pair = (image_size, image_size) if isinstance(image_size, int) else image_size
    if (
        not isinstance(pair, (tuple, list))
        or len(pair) != 2
        or not all(isinstance(size, int) and size > 0 for size in pair)
    ):
        raise ValueError(
            "`image_size` must be a positive int, or two (height, width). "
            f"Received: image_size={image_size!r}"
        )
    return tuple(pair)
