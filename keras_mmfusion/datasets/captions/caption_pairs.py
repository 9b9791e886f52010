"""Image paths and their captions."""

import dataclasses

import numpy as np

from keras_mmfusion._checks import check_integer, check_proportion
from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.datasets.images.image_files import find_missing_files, raise_if_any
from keras_mmfusion.datasets.io.string_lists import check_string_lists, list_paths


@dataclasses.dataclass(frozen=True, repr=False)
class CaptionPairs:
    """A split of a captioning data set: image paths and the captions of each image.

    Args:
        images: list, array or pandas Series of strings or paths, of image files.
        captions: list of lists of strings. The captions of each image, at least one.

    Raises:
        ValueError: if there are no images, a file is missing, an image has no caption, or an
            argument is a string instead of a list.

    Example:

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     pairs = CaptionPairs([file.name], [["A dog.", "A brown dog."]])
    >>> len(pairs), pairs.pad_captions(3)
    (1, [['A dog.', 'A brown dog.', '']])
    """

    images: list
    captions: list

    def __post_init__(self):
        object.__setattr__(self, "images", list_paths("images", self.images))
        check_string_lists("captions", self.captions)
        object.__setattr__(self, "captions", [list(each) for each in self.captions])
        if not self.images or len(self.images) != len(self.captions):
            raise ValueError(
                "`images` and `captions` must be of equal length and not empty. Received: "
                f"{len(self.images)} images, {len(self.captions)} lists of captions"
            )
        without = [
            image
            for image, captions in zip(self.images, self.captions, strict=True)
            if not any(caption.strip() for caption in captions)
        ]
        raise_if_any(without, "`captions` has no caption for")
        raise_if_any(find_missing_files(self.images), "`images` contains paths that do not exist:")

    def __len__(self):
        return len(self.images)

    def __repr__(self):
        return short_repr(self, images=len(self), captions=sum(map(len, self.captions)))

    def take(self, count):
        """Returns the first `count` images, as `CaptionPairs`."""
        return CaptionPairs(self.images[:count], self.captions[:count])

    def split(self, fraction, seed=0):
        """Splits the images randomly into two parts; the captions of an image stay together.

        Args:
            fraction: float in (0, 1). The fraction of the images in the second part. Both parts
                have at least one image.
            seed: int. The split depends only on the seed and the number of images.

        Returns:
            A tuple of two `CaptionPairs`, both in the original order.
        """
        check_proportion(None, "fraction", fraction)
        if len(self) < 2:
            raise ValueError(f"A split needs at least two images. Received: {len(self)}")
        count = min(max(round(fraction * len(self)), 1), len(self) - 1)
        is_second = np.zeros(len(self), "bool")
        is_second[np.random.default_rng(seed).permutation(len(self))[:count]] = True
        return self._select(~is_second), self._select(is_second)

    def _select(self, mask):
        rows = np.flatnonzero(mask).tolist()
        return CaptionPairs([self.images[i] for i in rows], [self.captions[i] for i in rows])

    def pad_captions(self, captions_per_image):
        """Returns a fixed number of captions per image, truncated or padded with empty strings."""
        check_integer(None, "captions_per_image", captions_per_image)
        empty = [""] * captions_per_image
        return [[*captions, *empty][:captions_per_image] for captions in self.captions]
