"""Images with an object whose place is known: photos, mosaics of photos, and drawings."""

import typing

import numpy as np
from PIL import Image, ImageDraw

from keras_mmfusion.datasets import read_flickr8k

CAR_CAPTION = "a car drives down the street"
CARLA_CLASS = "Car"
MIN_WIDTH, MIN_HEIGHT = 30, 20  # Pixels of the largest car.
# Words for things that photos of other words rarely show.
MOSAIC_WORDS = ("dog", "horse", "bike", "snow")
MOSAIC_SIDE = 224
COLORS = {"red": (220, 0, 0), "green": (0, 160, 0), "blue": (0, 0, 220), "black": (0, 0, 0)}


class Scene(typing.NamedTuple):
    """An image, what is asked about it, and where the answer is.

    Args:
        inputs: dict, the sample of `explain`.
        target: string, the target of `explain`.
        place: bool array `(height, width)`, `True` at the object.
    """

    inputs: dict
    target: str
    place: np.ndarray


def list_carla_scenes(folder, count, rng):
    """Cuts a square with at least one car out of frames in KITTI's layout, at a random column."""
    scenes = []
    for path in sorted(folder.glob("*/label_2/*.txt")):
        boxes = _read_boxes(path)
        image = Image.open(path.parents[1] / "image_2" / f"{path.stem}.jpg").convert("RGB")
        width, height = image.size
        boxes = [np.clip(box, 0, (width, height, width, height)).astype(int) for box in boxes]
        boxes = [b for b in boxes if b[2] - b[0] >= MIN_WIDTH and b[3] - b[1] >= MIN_HEIGHT]
        if not boxes:
            continue
        largest = max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
        low, high = max(largest[2] - height, 0), min(largest[0], width - height)
        left = int(rng.integers(min(low, high), max(low, high) + 1))
        place = np.zeros((height, width), "bool")
        for x0, y0, x1, y1 in boxes:
            place[y0:y1, x0:x1] = True
        pixels = np.asarray(image)[:, left : left + height]
        inputs = {"image": pixels, "caption": CAR_CAPTION}
        scenes.append(Scene(inputs, "car", place[:, left : left + height]))
    return _choose(scenes, count, rng)


def _read_boxes(path):
    lines = [line.split() for line in path.read_text("utf-8").splitlines()]
    return [np.array(line[4:8], "float64") for line in lines if line[0] == CARLA_CLASS]


def list_mosaic_scenes(folder, count, rng):
    """Puts a photo of a thing and three photos without it into the quarters of an image.

    The caption is one of the first photo, from dev. Three of its captions have the word, and none
    of those of the others have it.
    """
    photos = read_flickr8k(folder, "dev")
    texts = [[each.split() for each in captions] for captions in photos.captions]
    counts = {
        word: np.array([sum(word in text for text in each) for each in texts])
        for word in MOSAIC_WORDS
    }
    scenes = []
    for index in range(count):
        word = MOSAIC_WORDS[index % len(MOSAIC_WORDS)]
        first = int(rng.choice(np.flatnonzero(counts[word] >= 3)))
        others = rng.choice(np.flatnonzero(counts[word] == 0), 3, replace=False)
        quarter, half = int(rng.integers(4)), MOSAIC_SIDE // 2
        order = list(map(int, others))
        order.insert(quarter, first)
        image, place = Image.new("RGB", (MOSAIC_SIDE,) * 2), np.zeros((MOSAIC_SIDE,) * 2, "bool")
        for position, photo in enumerate(order):
            top, left = half * (position // 2), half * (position % 2)
            with Image.open(photos.images[photo]) as each:
                image.paste(each.convert("RGB").resize((half, half)), (left, top))
            place[top : top + half, left : left + half] = position == quarter
        caption = next(" ".join(text) for text in texts[first] if word in text)
        scenes.append(Scene({"image": np.asarray(image), "caption": caption}, word, place))
    return scenes


def list_drawing_scenes(count, rng):
    """Draws a shape of a random color, size, and place, as in easy-VQA."""
    scenes = []
    for index in range(count):
        side, (color, rgb) = 64, list(COLORS.items())[index % len(COLORS)]
        size = int(rng.integers(14, 28))
        left, top = (int(x) for x in rng.integers(0, side - size, 2))
        image = Image.new("RGB", (side, side), (250, 250, 250))
        box = (left, top, left + size - 1, top + size - 1)
        draw = ImageDraw.Draw(image)
        (draw.rectangle if index % 2 else draw.ellipse)(box, fill=rgb)
        place = np.zeros((side, side), "bool")
        place[top : top + size, left : left + size] = True
        inputs = {"image": np.asarray(image), "question": "what color is the shape?"}
        scenes.append(Scene(inputs, color, place))
    return scenes


def _choose(scenes, count, rng):
    rows = rng.permutation(len(scenes))[:count]
    return [scenes[row] for row in sorted(rows)]
