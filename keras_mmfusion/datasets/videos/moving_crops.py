"""Generates short videos of moving crops of photos, with questions about order and motion."""

import dataclasses

import numpy as np

from keras_mmfusion._checks import check_choice, check_integer
from keras_mmfusion.datasets.images.read_image import read_image, resize_image

NUM_FRAMES = 8
KINDS = ("what", "count", "first", "before", "after", "direction")
# The answer to these depends on the order of the frames.
ORDER_KINDS = ("first", "before", "after", "direction")
_NUMBERS = ("one", "two", "three")


@dataclasses.dataclass(frozen=True, repr=False)
class MovingCrops:
    """Videos with a question and an answer each; see `make_moving_crops`.

    Args:
        videos: uint8 array `(videos, 8, height, width, 3)`.
        questions, answers, kinds: lists of strings.
    """

    videos: np.ndarray
    questions: list
    answers: list
    kinds: list

    def __len__(self):
        return len(self.questions)


def make_moving_crops(photos, count, seed=0, kinds=KINDS, size=48):
    """Generates videos in which crops of photos appear, disappear and move.

    Each object is a crop of one of the photos, on a darkened crop of another one. The questions:

    | kind | question | the video |
    |---|---|---|
    | `"what"` | what appears | one object, for two frames |
    | `"count"` | how many objects appear | one to three objects, one after the other |
    | `"first"` | what appears first | two objects, one after the other |
    | `"before"`, `"after"` | what appears before (after) the cat | two other objects, before and after it |
    | `"direction"` | does the cat move left or right | an object that crosses the picture |

    For the last four kinds, the frames of a video in another order are an equally probable video
    with another answer. Therefore a model that ignores the order of frames cannot exceed 50% on
    questions with two possible answers. Neither can one that sees only the middle frame, index 4:
    it has no object, the object of the question, or an object in the center.

    Args:
        photos: dict, name -> photo, see `read_image`; at least four. Names are single words.
        count: int. The number of videos, with the kinds in turn.
        seed: int. Equal arguments give equal videos.
        kinds: sequence of strings, see above.
        size: int, at least 24. Height and width of the videos.

    Returns:
        `MovingCrops`.

    Raises:
        ValueError: if an argument is invalid.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import make_moving_crops
    >>> rng = np.random.default_rng(0)
    >>> names = ("cat", "cup", "sea", "dog")
    >>> photos = {name: rng.integers(0, 256, (64, 64, 3), "uint8") for name in names}
    >>> data = make_moving_crops(photos, 4, kinds=["first", "direction"])
    >>> data.videos.shape, data.questions[0], data.answers[0] in photos
    ((4, 8, 48, 48, 3), 'what appears first', True)
    """  # noqa: E501
    check_integer("make_moving_crops", "count", count)
    check_integer("make_moving_crops", "size", size, 24)
    for kind in kinds:
        check_choice("make_moving_crops", "kinds", kind, KINDS)
    if len(photos) < 4:
        raise ValueError(f"`photos` must have at least four photos. Received: {sorted(photos)}")
    photos = {name: read_image(photos[name]) for name in sorted(photos)}
    small = [name for name, photo in photos.items() if min(photo.shape[:2]) < size]
    if small:
        raise ValueError(
            f"`photos` must have at least {size} x {size} pixels, `size`. Smaller: {small[:3]}"
        )
    rng = np.random.default_rng(seed)
    clips = [_Clip(photos, kinds[i % len(kinds)], size, rng).make() for i in range(count)]
    videos, questions, answers = zip(*clips, strict=True)
    kinds = [kinds[i % len(kinds)] for i in range(count)]
    return MovingCrops(np.stack(videos), list(questions), list(answers), kinds)


class _Clip:
    """A video of one kind of question."""

    def __init__(self, photos, kind, size, rng):
        self.photos, self.kind, self.size, self.rng = photos, kind, size, rng
        self.names = rng.permutation(sorted(photos)).tolist()
        background = self._crop(self.names[-1], size) // 3
        self.frames = np.repeat(background[None], NUM_FRAMES, axis=0)

    def make(self):
        """Returns the frames, the question and the answer."""
        return (self.frames, *getattr(self, f"_make_{self.kind}")())

    def _make_what(self):
        [name] = self._show_in_turn(1)
        return "what appears", name

    def _make_count(self):
        count = int(self.rng.integers(1, 4))
        self._show_in_turn(count)
        return "how many objects appear", _NUMBERS[count - 1]

    def _make_first(self):
        for name, start in zip(self.names, self._choose_two_starts(), strict=False):
            self._show(name, start)
        return "what appears first", self.names[0]

    def _make_before(self):
        before, name, _ = self._show_three()
        return f"what appears before the {name}", before

    def _make_after(self):
        _, name, after = self._show_three()
        return f"what appears after the {name}", after

    def _make_direction(self):
        """The object is in the center of the middle frame, and its path is symmetric."""
        name, to_right = self.names[0], bool(self.rng.integers(2))
        side = self.size // 3
        crop = self._crop_object(name, side)
        top = int(self.rng.integers(0, self.size - side + 1))
        # Frames 1 to 7 are symmetric to frame 4; frame 0 is empty.
        positions = np.linspace(0, self.size - side, NUM_FRAMES - 1).round().astype(int)
        for index, left in enumerate(positions if to_right else positions[::-1], start=1):
            self.frames[index, top : top + side, left : left + side] = crop
        return f"does the {name} move left or right", "right" if to_right else "left"

    def _show_three(self):
        early, late = self._choose_two_starts()
        names = self.names[:3]
        for name, start in zip(names, (early, 3, late), strict=True):
            self._show(name, start)
        return names

    def _choose_two_starts(self):
        """Frames 3 and 4 stay free; the reverse of a choice is equally probable."""
        offset = int(self.rng.integers(0, 2))
        return offset, 5 + int(self.rng.integers(0, 2))

    def _show_in_turn(self, count):
        starts = np.sort(self.rng.permutation(NUM_FRAMES // 2)[:count]) * 2
        for name, start in zip(self.names, starts, strict=False):
            self._show(name, int(start))
        return self.names[:count]

    def _show(self, name, start):
        """Shows an object at a random position for two frames."""
        side = self.size // 3
        top, left = self.rng.integers(0, self.size - side + 1, 2)
        crop = self._crop_object(name, side)
        self.frames[start : start + 2, top : top + side, left : left + side] = crop

    def _crop_object(self, name, side):
        """Crops about half of a photo and shrinks it, so that the object is recognizable."""
        length = max(min(self.photos[name].shape[:2]) // 2, side)
        return resize_image(self._crop(name, length), (side, side))

    def _crop(self, name, length):
        photo = self.photos[name]
        top, left = (int(self.rng.integers(0, n - length + 1)) for n in photo.shape[:2])
        return photo[top : top + length, left : left + length]
