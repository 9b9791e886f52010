"""Image paths with regions and their descriptions, and the `tf.data` pipeline of them."""

import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.datasets.captions.caption_pairs import CaptionPairs
from keras_mmfusion.datasets.images.image_files import find_missing_files, raise_if_any
from keras_mmfusion.datasets.images.image_rows import batch_image_rows
from keras_mmfusion.datasets.io.string_lists import check_string_lists, list_paths


@dataclasses.dataclass(frozen=True, repr=False)
class ImageRegions:
    """Images with boxes and a phrase for each box: dense captions.

    Args:
        images: list, array or pandas Series of strings or paths, of image files.
        boxes: list of float32 arrays `(regions, 4)`. The left, top, right and bottom of each box,
            relative to the width and height of the image.
        phrases: list of lists of strings, one for each box.

    Raises:
        ValueError: if there are no images, lengths differ, a file is missing, or an argument is a
            string instead of a list.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_mmfusion.datasets import ImageRegions
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     regions = ImageRegions(
    ...         [file.name], [np.array([[0, 0, 0.5, 1]], "float32")], [["a dog on the left"]])
    ...     pairs = regions.to_caption_pairs()
    >>> pairs.captions
    [['a dog on the left']]
    """

    images: list
    boxes: list
    phrases: list

    def __post_init__(self):
        object.__setattr__(self, "images", list_paths("images", self.images))
        check_string_lists("phrases", self.phrases)
        object.__setattr__(self, "phrases", [list(each) for each in self.phrases])
        if not self.images or not len(self.images) == len(self.boxes) == len(self.phrases):
            raise ValueError(
                "`images`, `boxes` and `phrases` must be of equal length and not empty. Received: "
                f"{len(self.images)}, {len(self.boxes)} and {len(self.phrases)}"
            )
        uneven = [
            image
            for image, boxes, phrases in zip(self.images, self.boxes, self.phrases, strict=True)
            if boxes.shape != (len(phrases), 4)
        ]
        raise_if_any(uneven, "`boxes` must have the shape (phrases, 4); it differs for")
        raise_if_any(find_missing_files(self.images), "`images` contains paths that do not exist:")

    def __len__(self):
        return len(self.images)

    def __repr__(self):
        return short_repr(self, images=len(self), regions=sum(map(len, self.phrases)))

    def to_caption_pairs(self):
        """Converts to `CaptionPairs`, with the phrases as captions of the whole image."""
        return CaptionPairs(self.images, self.phrases)


def region_dataset(
    regions,
    batch_size=32,
    image_size=(224, 224),
    regions_per_image=50,
    shuffle=True,
    seed=0,
    cache=False,
):
    """Decodes images in parallel and batches them with their boxes and phrases.

    Args:
        regions: `ImageRegions`.
        batch_size: int.
        image_size: tuple of ints, `(height, width)`.
        regions_per_image: int. Additional regions are dropped; missing regions are masked.
        shuffle: bool. Whether to visit the images in a new random order each epoch.
        seed: int. The seed of the order.
        cache: bool. Whether to keep the resized images in memory after the first epoch.

    Returns:
        A `tf.data.Dataset` of dicts: `"images"`, uint8 `(batch, height, width, 3)`; `"boxes"`,
        float32 `(batch, regions_per_image, 4)`, relative left, top, right and bottom;
        `"boxes_mask"`, bool `(batch, regions_per_image)`, `False` for padding; and `"captions"`,
        strings `(batch, regions_per_image)`, empty for padding.
    """
    import tensorflow as tf

    shape = (len(regions), regions_per_image)
    columns = {
        "boxes": np.zeros((*shape, 4), "float32"),
        "boxes_mask": np.zeros(shape, "bool"),
        "captions": regions.to_caption_pairs().pad_captions(regions_per_image),
    }
    for row, boxes in enumerate(regions.boxes):
        kept = boxes[:regions_per_image]
        columns["boxes"][row, : len(kept)] = kept
        columns["boxes_mask"][row, : len(kept)] = True
    batches = batch_image_rows(
        regions.images, columns, batch_size, image_size, shuffle, seed, cache
    )
    return batches.prefetch(tf.data.AUTOTUNE)
