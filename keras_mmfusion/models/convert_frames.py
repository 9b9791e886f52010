"""Image converters applied to the frames of videos."""


def convert_frames(converter, images, reshape, shape):
    """Applies an image converter to images, or to each frame of videos.

    Args:
        converter: function of images `(batch, height, width, 3)` or `(height, width, 3)`.
        images: float tensor of images, or of videos `(batch, frames, height, width, 3)`.
        reshape: function of a tensor and a shape.
        shape: the shape of `images`, of ints or, where unknown in a graph, of tensors.

    Returns:
        Converted images with the leading axes of `images`.
    """
    if len(shape) != 5:
        return converter(images)
    images = converter(reshape(images, (-1, *shape[2:])))
    return reshape(images, (-1, shape[1], *images.shape[1:]))
