import collections

import numpy as np
import pytest

from keras_mmfusion.datasets import make_moving_crops
from keras_mmfusion.datasets.videos.moving_crops import KINDS, ORDER_KINDS

COLORS = {"cat": (240, 0, 0), "cup": (0, 240, 0), "dog": (0, 0, 240), "sea": (240, 240, 0)}
PHOTOS = {name: np.full((30, 40, 3), color, "uint8") for name, color in COLORS.items()}
SIZE = 24


@pytest.fixture(scope="module")
def data():
    return make_moving_crops(PHOTOS, 240, seed=3, size=SIZE)


def find_objects(video):
    """The name and the left edge of the object in each frame, or `None`; objects are bright."""
    found = []
    for frame in video:
        rows, columns = np.nonzero((frame > 200).any(axis=-1))
        if not len(rows):
            found.append(None)
            continue
        color = tuple(frame[rows[0], columns[0]].tolist())
        found.append(({color: name for name, color in COLORS.items()}[color], columns.min()))
    return found


def answer(question, objects):
    """Answers a question by rules from the objects of all frames."""
    names = list(dict.fromkeys(each[0] for each in objects if each))
    words = question.split()
    if question.startswith("how many"):
        return ("one", "two", "three")[len(names) - 1]
    if "before" in words or "after" in words:
        return names[names.index(words[-1]) + (1 if "after" in words else -1)]
    if "left" in words:
        edges = [each[1] for each in objects if each]
        return "right" if edges == sorted(edges) else "left"
    return names[0]


def test_answers_follow_from_the_frames(data):
    assert data.videos.shape == (240, 8, SIZE, SIZE, 3) and data.videos.dtype == np.uint8
    for video, question, expected in zip(data.videos, data.questions, data.answers, strict=True):
        assert answer(question, find_objects(video)) == expected, question
    assert collections.Counter(data.kinds) == dict.fromkeys(KINDS, 40)


def test_frames_in_reverse_change_the_answers_about_order(data):
    for video, question, expected, kind in zip(
        data.videos, data.questions, data.answers, data.kinds, strict=True
    ):
        changes = answer(question, find_objects(video[::-1])) != expected
        assert changes == (kind in ORDER_KINDS)


def test_the_middle_frame_does_not_contain_the_answers_about_order(data):
    for video, question, kind in zip(data.videos, data.questions, data.kinds, strict=True):
        shown = find_objects(video)[4]
        if kind == "first":
            assert shown is None
        elif kind in ("before", "after"):
            assert shown[0] == question.split()[-1]
        elif kind == "direction":
            assert shown[1] == (SIZE - SIZE // 3) // 2


def test_answers_about_order_are_balanced():
    data = make_moving_crops(PHOTOS, 400, kinds=["direction"], size=SIZE)
    assert abs(data.answers.count("left") - 200) < 40
    # The objects of both sides are shown at the same times and for as long.
    data = make_moving_crops(PHOTOS, 200, kinds=["first"], size=SIZE)
    shown = np.array([[each is not None for each in find_objects(v)] for v in data.videos])
    assert (shown.sum(axis=1) == 4).all() and (shown[:, :3].sum(axis=1) == 2).all()
    assert abs(shown[:, 0].mean() - shown[:, 7].mean()) < 0.15


def test_videos_depend_only_on_the_seed():
    first, second, other = (make_moving_crops(PHOTOS, 6, seed=s, size=SIZE) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.videos, second.videos)
    assert first.answers == second.answers and first.questions == second.questions
    assert (first.videos != other.videos).any()
    assert len(first) == 6


def test_invalid_arguments_are_reported():
    with pytest.raises(ValueError, match="at least four photos. Received: \\['cat'\\]"):
        make_moving_crops({"cat": PHOTOS["cat"]}, 1)
    with pytest.raises(ValueError, match="at least 48 x 48 pixels, `size`. Smaller: \\['cat'"):
        make_moving_crops(PHOTOS, 1)
    with pytest.raises(ValueError, match="`kinds` must be one of 'what'"):
        make_moving_crops(PHOTOS, 1, kinds=["why"], size=SIZE)
