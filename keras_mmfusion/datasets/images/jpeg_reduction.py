"""Reduces JPEG photos while they are decoded, before they are resized."""

from PIL import ExifTags, Image

# The factors of the decoder, besides 1.
RATIOS = (2, 4, 8)
_TRANSPOSED = range(5, 9)  # EXIF orientations that exchange height and width


def reduce_jpeg(image, image_size):
    """Decodes a JPEG file at 1/2, 1/4 or 1/8 of its size and resizes it with Pillow.

    The decoded image is at least as large as `image_size`. It may have a last row and column of
    which only a part belongs to the photo, which the resizing takes into account.

    Args:
        image: PIL image of a file that is not loaded yet.
        image_size: tuple of ints, `(height, width)` of the upright image.

    Returns:
        The resized image, or `image` if it is not a JPEG file or not large enough.
    """
    height, width = image_size
    if image.getexif().get(ExifTags.Base.Orientation) in _TRANSPOSED:
        height, width = width, height
    original_size = image.size
    draft = image.draft(None, (width, height))
    if image.size == original_size:
        return image
    _, box = draft
    return image.resize((width, height), Image.Resampling.BILINEAR, box)
