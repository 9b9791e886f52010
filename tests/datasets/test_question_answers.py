import pytest

from keras_mmfusion.datasets import QuestionAnswers


def test_answer_scores_and_invalid_arguments(tmp_path):
    path = tmp_path / "1.jpg"
    path.touch()
    images = [str(path)]
    data = QuestionAnswers(images * 3, ["a?", "b?", "c?"], [["x"], [], ["y", "Y."]], [1, 2, "3"])
    assert len(data) == 3
    assert data.take(2).questions == ["a?", "b?"]
    assert data.list_frequent_answers(5) == ["y", "x"]
    assert data.answer_scores(["y", "q", "x"]) == [{2: 1.0}, {}, {0: pytest.approx(1 / 3)}]
    with pytest.raises(ValueError, match="not empty"):
        QuestionAnswers([], [], [], [])
    with pytest.raises(ValueError, match="equal length.*'answers': 0"):
        QuestionAnswers(images, ["a?"], [], [1])
    with pytest.raises(ValueError, match="repeated ids: 7"):
        QuestionAnswers(images * 2, ["a?", "b?"], [[], []], [7, 7])
    with pytest.raises(ValueError, match="not exist: 'none.jpg'"):
        QuestionAnswers(["none.jpg"] * 2, ["a?", "b?"], [[], []], [7, 8])


def test_strings_instead_of_lists_are_rejected(tmp_path):
    path = tmp_path / "1.jpg"
    path.touch()
    for changed, message in (
        ({"images": str(path)}, "`images` must be a list of strings"),
        ({"questions": "Why?"}, r"`questions` must be a list of strings.*mean \['Why\?'\]"),
        ({"answers": ["yes"]}, r"`answers\[0\]` must be a list of strings.*mean \['yes'\]"),
        ({"answers": [None]}, r"`answers\[0\]` must be a list of strings"),
    ):
        good = {"images": [str(path)], "questions": ["Why?"], "answers": [["yes"]]}
        with pytest.raises(ValueError, match=message):
            QuestionAnswers(**(good | changed), question_ids=[1])
    data = QuestionAnswers(**good, question_ids=[1])
    with pytest.raises(ValueError, match="`classes` must be a list of strings. Received: 'yes'"):
        data.answer_scores("yes")


def test_split_by_image_separates_all_questions_of_an_image(tmp_path):
    paths = [tmp_path / f"{number}.jpg" for number in range(5)]
    for path in paths:
        path.touch()
    images = [str(path) for path in paths] * 2
    types = [{"kind": str(row)} for row in range(10)]
    data = QuestionAnswers(images, ["a?"] * 10, [["x"]] * 10, range(10), types)
    rest, dev = data.split_by_image(0.4, seed=1)
    assert len(rest) == 6 and len(dev) == 4
    assert set(rest.images).isdisjoint(dev.images)
    for part in (rest, dev):
        assert part.images == [images[row] for row in part.question_ids]
        assert part.types == [types[row] for row in part.question_ids]
        assert part.question_ids == sorted(part.question_ids)
    reversed_data = data.select(range(10)[::-1])
    assert set(reversed_data.split_by_image(0.4, seed=1)[1].images) == set(dev.images)
    for fraction in (0.0, 0.05, 1.0):
        with pytest.raises(ValueError, match=f"`fraction` must leave .*={fraction}, of 5 images"):
            data.split_by_image(fraction)
