"""VQA's consensus accuracy, and how it makes answers comparable."""

import collections
import functools
import re

from keras_mmfusion.metrics.caption_inputs import list_ids

_NUMBERS = "zero one two three four five six seven eight nine ten"
_DIGITS = {word: str(number) for number, word in enumerate(_NUMBERS.split())} | {"none": "0"}
_ARTICLES = {"a", "an", "the"}
_PUNCTUATION = ";:/'[]\"()=+\\_><@`,?"

# Words that take each ending; written without the apostrophe they get it back.
_ENDINGS = {
    "n't": "ai are ca could did does do had has have is might must need ought sha should was "
    "were wo would",
    "'ve": "could might must not should they we what where who would you",
    "'d": "he how it somebody someone something there they where who you",
    "'ll": "how it somebody someone something they what who why you",
    "'s": "he how somebody someone that there what when where who why",
    "'re": "there they what why you",
}
_CONTRACTIONS = {
    f"{word}{ending}".replace("'", ""): f"{word}{ending}"
    for ending, words in _ENDINGS.items()
    for word in words.split()
} | {"maam": "ma'am", "oclock": "o'clock", "twas": "'twas", "yall": "y'all"}


# People give the same few answers over and over.
@functools.lru_cache(maxsize=100_000)
def normalize_answer(answer):
    """Writes an answer as VQA compares it.

    Lower case; no periods but in decimals; other punctuation taken out where it stands beside a
    space or the answer has a number with a thousands comma, else made a space; numbers up to ten
    as digits; no articles; contractions with their apostrophe.

    Args:
        answer: string.

    Returns:
        A string.

    Example:

    >>> normalize_answer("The two dogs, I dont know.")
    "2 dogs i don't know"

    Reference:
        Antol et al., "VQA: Visual Question Answering" (2015), and the data set's evaluation page.
    """
    text = " ".join(answer.split())
    thousands = re.search(r"\d,\d", text)
    written = text
    for mark in _PUNCTUATION:
        apart = f"{mark} " in text or f" {mark}" in text
        written = written.replace(mark, "" if apart or thousands else " ")
    written = re.sub(r"\.(?!\d)", "", written)
    words = [_DIGITS.get(word, word) for word in written.lower().split()]
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


def answer_accuracies(people):
    """How right each answer that people gave to a question is, by VQA's consensus.

    `accuracy(a) = mean over people i of min(1, people other than i who answered a / 3)`.

    With ten people, an answer that one, two or three of them gave is 0.3, 0.6 or 0.9 right. A
    question with one answer has no consensus: that answer is right.

    Args:
        people: list of strings, the answers that people gave.

    Returns:
        Dict of normalized answer -> float, in the order of `people`.

    Example:

    >>> answer_accuracies(["Two", "2", "three"] + ["many"] * 7)
    {'2': 0.6, '3': 0.3, 'many': 1.0}
    >>> answer_accuracies(["a dog"])
    {'dog': 1.0}
    """
    counts = collections.Counter(map(normalize_answer, people))
    if len(people) == 1:
        return dict.fromkeys(counts, 1.0)
    return {
        answer: ((len(people) - n) * min(3, n) + n * min(3, n - 1)) / (3 * len(people))
        for answer, n in counts.items()
    }


def vqa_accuracy(answers, predictions):
    """VQA's accuracy: an answer is right if three of the people asked gave it.

    See `answer_accuracies`.

    Args:
        answers: dict of question id -> list of the answers of people: ten in VQA; with one, as in
            Visual Genome, the prediction must equal it once both are normalized.
        predictions: dict of question id -> string.

    Returns:
        A tuple `(mean, per_question)`: a float, and a dict of question id -> float.

    Raises:
        ValueError: if the two have different ids, or a question has no answer.

    Example:

    >>> mean, _ = vqa_accuracy({1: ["yes"] * 2 + ["no"] * 8, 2: ["two"] * 10}, {1: "Yes", 2: "2"})
    >>> round(mean, 2)
    0.8

    Reference:
        Antol et al., "VQA: Visual Question Answering" (2015); the mean over nine of ten people is
        that of the data set's evaluation code. That code leaves people's answers as they are if
        all gave the same; here they are normalized like any other.
    """
    one_sided = [i for i in (*answers, *predictions) if i not in answers or i not in predictions]
    if one_sided or not answers:
        raise ValueError(
            "`answers` and `predictions` must have the same question ids, at least one; these are "
            f"in one only: {list_ids(one_sided)}."
        )
    unanswered = [question_id for question_id, people in answers.items() if not people]
    if unanswered:
        raise ValueError(f"`answers` has none for these question ids: {list_ids(unanswered)}.")
    per_question = {
        question_id: answer_accuracies(people).get(normalize_answer(predictions[question_id]), 0.0)
        for question_id, people in answers.items()
    }
    return sum(per_question.values()) / len(per_question), per_question
