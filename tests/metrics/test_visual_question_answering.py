import pytest

from keras_mmfusion.metrics.visual_question_answering import (
    answer_accuracies,
    normalize_answer,
    vqa_accuracy,
)


@pytest.mark.parametrize(
    ("answer", "normalized"),
    [
        ("Yes.", "yes"),
        (" a  red\tball\n", "red ball"),
        ("Three", "3"),
        ("none", "0"),
        ("2.5", "2.5"),
        ("1,000", "1000"),
        ("black/white", "black white"),
        ("black , white", "black white"),
        ("dont know", "don't know"),
        ("theyre", "they're"),
        ("t-shirt", "t-shirt"),
        ("U.S.A.", "usa"),
        ("the", ""),
    ],
)
def test_normalization(answer, normalized):
    assert normalize_answer(answer) == normalized


@pytest.mark.parametrize(
    ("people", "accuracy"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)]
)
def test_ten_people_agree_by_the_known_steps(people, accuracy):
    answers = {1: ["red"] * people + ["blue"] * (10 - people)}
    assert vqa_accuracy(answers, {1: "Red"})[0] == pytest.approx(accuracy)


def test_accuracies_are_the_mean_over_leaving_each_person_out():
    people = ["red"] * 4 + ["Blue"] * 3 + ["the blue?", "green", "red."]
    normal = [normalize_answer(answer) for answer in people]
    for answer, accuracy in answer_accuracies(people).items():
        others = [sum(a == answer for a in normal[:i] + normal[i + 1 :]) for i in range(10)]
        assert accuracy == pytest.approx(sum(min(1, n / 3) for n in others) / 10)
    assert list(answer_accuracies(people)) == ["red", "blue", "green"]
    assert answer_accuracies([]) == {}


def test_one_answer_must_be_met():
    assert vqa_accuracy({1: ["Green."], 2: ["Sky"]}, {1: "green", 2: "sea"})[1] == {1: 1.0, 2: 0.0}


def test_mean_and_each_question():
    mean, each = vqa_accuracy({"q": ["1"] * 10, "r": ["no"] * 10}, {"q": "one", "r": "yes"})
    assert (mean, each) == (0.5, {"q": 1.0, "r": 0.0})


def test_ids_that_do_not_match_are_listed():
    with pytest.raises(ValueError, match="in one only: 'q', 'r'"):
        vqa_accuracy({"q": ["1"], "p": ["1"]}, {"r": "1", "p": "1"})
    with pytest.raises(ValueError, match="at least one"):
        vqa_accuracy({}, {})
    with pytest.raises(ValueError, match="none for these question ids: 'q'"):
        vqa_accuracy({"q": []}, {"q": "1"})
