"""Exact match, token F1, ANLS and WUPS, compared with references written from the official code."""

import random
import re
import string

import pytest

from keras_mmfusion.metrics import Wups, anls, exact_match, token_f1

WORDS = [
    "a",
    "an",
    "the",
    "red",
    "Red",
    "dog",
    "dogs",
    "two",
    "2",
    "big-ball",
    "ball,",
    "U.S.",
    "stop",
    "STOP!",
    "cat",
    "chair",
    "table",
]
CASES = 2000


def make_cases(separator=" ", words=WORDS):
    rng = random.Random(0)

    def make_text():
        spaces = rng.choice([separator, separator, "  " if separator == " " else separator + " "])
        return spaces.join(rng.choices(words, k=rng.randint(0, 4)))

    answers = {i: [make_text() for _ in range(rng.randint(1, 3))] for i in range(CASES)}
    return answers, {i: rng.choice([make_text(), rng.choice(answers[i])]) for i in range(CASES)}


def normalize(text):
    """`normalize_answer` of SQuAD's script."""
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", text).split())


def squad_f1(gold, predicted):
    gold, predicted = normalize(gold).split(), normalize(predicted).split()
    if len(gold) == 0 or len(predicted) == 0:
        return int(gold == predicted)
    remaining, same = list(gold), 0
    for word in predicted:
        if word in remaining:
            remaining.remove(word)
            same += 1
    if same == 0:
        return 0
    precision, recall = same / len(predicted), same / len(gold)
    return 2 * precision * recall / (precision + recall)


def edit_distance(a, b):
    table = [[i + j for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            change = table[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, change)
    return table[len(a)][len(b)]


def reference_anls(answers, prediction):
    """The rules of the evaluation code of the Robust Reading Competition."""
    values = []
    for answer in answers:
        a, b = (" ".join(text.strip().lower().split()) for text in (answer, prediction))
        length = max(len(answer.upper()), len(prediction.upper()))
        values.append(0.0 if length == 0 else edit_distance(a, b) / length)
    result = 1 - min(values)
    return 0.0 if result < 0.5 else result


@pytest.mark.parametrize(
    ("metric", "reference"),
    [
        (exact_match, lambda gold, p: max(normalize(g) == normalize(p) for g in gold)),
        (token_f1, lambda gold, p: max(squad_f1(g, p) for g in gold)),
        (anls, reference_anls),
    ],
)
def test_scores_equal_a_reference_on_generated_cases(metric, reference):
    answers, predictions = make_cases()
    mean, scores = metric(answers, predictions)
    expected = {i: float(reference(answers[i], predictions[i])) for i in answers}
    assert scores == pytest.approx(expected, abs=1e-12)
    assert mean == pytest.approx(sum(expected.values()) / CASES)
    assert 0.05 < mean < 0.95


class Sense:
    """A sense of a word in a small taxonomy, as a path from the root."""

    def __init__(self, *path):
        self.path = path

    def wup_similarity(self, other):
        common = sum(a == b for a, b in zip(self.path, other.path, strict=False))
        return 2 * common / (len(self.path) + len(other.path))


class Taxonomy:
    senses = {
        "dog": [Sense("thing", "living", "animal", "dog")],
        "hound": [Sense("thing", "living", "animal", "dog", "hound")],
        "cat": [Sense("thing", "living", "animal", "cat")],
        "chair": [Sense("thing", "object", "chair"), Sense("thing", "living", "person", "chair")],
        "coffee_table": [Sense("thing", "object", "table")],
    }

    def synsets(self, word, pos):
        assert pos == "n"
        return self.senses.get(word, [])


def reference_wups(answer, prediction, threshold):
    """The rules of `calculate_wups.py`."""

    def measure(a, b):
        if a == b:
            return 1.0
        first = Taxonomy.senses.get(a.replace(" ", "_"), [])
        second = Taxonomy.senses.get(b.replace(" ", "_"), [])
        if first == [] or second == []:
            return 0
        best = 0.0
        for x in first:
            for y in second:
                best = max(best, x.wup_similarity(y))
        return best * (0.1 if best < threshold else 1.0)

    first = [item.strip() for item in prediction.split(",")]
    second = [item.strip() for item in answer.split(",")]
    left = right = 1.0
    for a in first:
        left *= max(measure(a, t) for t in second)
    for t in second:
        right *= max(measure(a, t) for a in first)
    return min(left, right)


@pytest.mark.parametrize("threshold", [0.9, 0.0])
def test_wups_equals_a_reference_on_generated_cases(threshold):
    words = [*(word.replace("_", " ") for word in Taxonomy.senses), "red", "2"]
    answers, predictions = make_cases(",", words)
    mean, scores = Wups(Taxonomy()).score(answers, predictions, threshold)
    for i, each in answers.items():
        expected = max(reference_wups(answer, predictions[i], threshold) for answer in each)
        assert scores[i] == pytest.approx(expected, abs=1e-12)
    assert 0.05 < mean < 0.95


def test_wups_ignores_underscores_between_the_words_of_a_phrase():
    wups = Wups(Taxonomy())
    assert wups.score({1: ["garbage_bin"]}, {1: "garbage bin"})[0] == 1.0
    assert wups.score({1: ["garbage_bin, x_y"]}, {1: "x y, garbage bin"})[0] == 1.0


def test_wups_needs_a_folder_of_wordnet(tmp_path):
    pytest.importorskip("nltk")
    with pytest.raises(ValueError, match="no file data.noun"):
        Wups(tmp_path)


def test_questions_must_agree():
    with pytest.raises(ValueError, match="same question ids"):
        token_f1({1: ["a"]}, {2: "a"})
