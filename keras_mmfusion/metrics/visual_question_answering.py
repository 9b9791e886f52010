"""VQA accuracy and the answer normalization of the official evaluation code."""

import collections
import functools
import re
from collections.abc import Mapping

from keras_mmfusion.metrics.captions.caption_inputs import list_ids

_NUMBERS = "zero one two three four five six seven eight nine ten"
_DIGITS = {word: str(number) for number, word in enumerate(_NUMBERS.split())} | {"none": "0"}
_ARTICLES = {"a", "an", "the"}
_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
# The evaluation code passes the flag `re.UNICODE` as the `count` argument of `sub`.
_MAX_PERIODS = int(re.UNICODE)

# Contractions by ending; a missing apostrophe is restored.
_ENDINGS = {
    "n't": "ai are ca could did does do had has have is might must need ought sha should was "
    "were wo would",
    "'ve": "could might must not should they we what where who would you",
    "'d": "he how it someone something there they where who you",
    "'ll": "how it somebody someone something they what who why you",
    "'s": "he how somebody someone that there what when where who why",
    "'re": "there they what why you",
}
# Contractions with several apostrophes; one missing apostrophe is restored.
_SEVERAL = (
    "couldn't've hadn't've he'd've it'd've mightn't've she'd've shouldn't've somebody'd've "
    "someone'd've something'd've there'd've they'd've we'd've who'd've wouldn't've you'd've "
    "y'all'd've y'all'll 'ow's'at"
)
_CONTRACTIONS = {
    **{
        f"{word}{ending}".replace("'", ""): f"{word}{ending}"
        for ending, words in _ENDINGS.items()
        for word in words.split()
    },
    **{
        word[: mark.start()] + word[mark.end() :]: word
        for word in _SEVERAL.split()
        for mark in re.finditer("'", word)
    },
    **{"maam": "ma'am", "oclock": "o'clock", "twas": "'twas", "yall": "y'all"},
    "somebody'd": "somebodyd",  # The evaluation code removes this apostrophe.
}


# Few distinct answers account for most of the data.
@functools.lru_cache(maxsize=100_000)
def normalize_answer(answer):
    """Normalizes an answer like VQA's evaluation code.

    Punctuation except `.`, `:` and `'` is removed if the mark is next to a space anywhere in the
    answer or the answer has a comma between digits, and becomes a space otherwise. Periods are
    removed unless a digit follows. Then the answer is lower-cased, numbers up to ten and "none"
    become digits, articles are removed, and apostrophes of contractions are restored.

    Args:
        answer: string.

    Returns:
        A string.

    Example:

    >>> normalize_answer("The two hot-dogs, I dont know!")
    "2 hot dogs i don't know"

    Reference:
        Antol et al., "VQA: Visual Question Answering" (2015), and `vqaEval.py` of the data set.
    """
    text = trim_answer(answer)
    thousands = re.search(r"\d,\d", text)
    normalized = text
    for mark in _PUNCTUATION:
        near_space = f"{mark} " in text or f" {mark}" in text
        normalized = normalized.replace(mark, "" if near_space or thousands else " ")
    normalized = re.sub(r"\.(?!\d)", "", normalized, count=_MAX_PERIODS)
    words = [_DIGITS.get(word, word) for word in normalized.lower().split()]
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


def trim_answer(answer):
    """Replaces line breaks and tabs with spaces and strips white space at both ends.

    Args:
        answer: string.

    Returns:
        A string.
    """
    if not isinstance(answer, str):
        raise TypeError(f"`answer` must be a string, not {type(answer).__name__}: {answer!r:.80}")
    return answer.replace("\n", " ").replace("\t", " ").strip()


def select_normalizer(answers):
    """Selects how VQA's evaluation code normalizes the answers to a question.

    If there are several answers and all are identical, answers are only trimmed, which keeps text
    that was read from the image.

    Args:
        answers: list of strings, the human answers to the question.

    Returns:
        `trim_answer` or `normalize_answer`.

    Example:

    >>> select_normalizer(["No. 5", "No. 5"])("No. 5")
    'No. 5'
    >>> select_normalizer(["No. 5", "five"])("No. 5")
    'no 5'
    """
    unanimous = len(answers) > 1 and len(set(map(trim_answer, answers))) == 1
    return trim_answer if unanimous else normalize_answer


def answer_accuracies(answers):
    """Computes the VQA accuracy of each human answer to a question.

    `accuracy(a) = mean over annotators i of min(1, other annotators who answered a / 3)`.

    With ten annotators, an answer given by one, two or three of them has the accuracy 0.3, 0.6 or
    0.9. A single answer has the accuracy 1. Answers are compared after `normalize_answer`, or
    only trimmed if there are several and all are identical.

    Args:
        answers: list of strings, the human answers.

    Returns:
        A dict of normalized answer -> float, in the order of `answers`.

    Example:

    >>> answer_accuracies(["Two", "2", "three"] + ["many"] * 7)
    {'2': 0.6, '3': 0.3, 'many': 1.0}
    >>> answer_accuracies(["a dog"])
    {'dog': 1.0}
    """
    if isinstance(answers, str) or not all(isinstance(answer, str) for answer in answers):
        raise TypeError(f"`answers` must be a list of strings, not {answers!r:.80}")
    counts = collections.Counter(map(select_normalizer(answers), answers))
    total = len(answers)
    if total == 1:
        return dict.fromkeys(counts, 1.0)
    return {
        answer: ((total - n) * min(3, n) + n * min(3, n - 1)) / (3 * total)
        for answer, n in counts.items()
    }


def vqa_accuracy(answers, predictions):
    """Computes VQA accuracy: a prediction is correct if three annotators gave that answer.

    The scores equal those of the official evaluation code; see `answer_accuracies` for the
    formula and the normalization.

    Args:
        answers: dict of question id -> list of human answers, ten in VQA. With one answer, as in
            Visual Genome, the normalized prediction must equal it (the evaluation code always
            returns 0 in this case).
        predictions: dict of question id -> string.

    Returns:
        A tuple `(mean, per_question)`: a float, and a dict of question id -> float.

    Raises:
        TypeError: if a prediction or an answer is not a string.
        ValueError: if the question ids differ, or a question has no answers.

    Example:

    >>> answers = {1: ["yes"] * 2 + ["no"] * 8, 2: ["two"] * 9 + ["three"]}
    >>> mean, _ = vqa_accuracy(answers, {1: "Yes!", 2: "2"})
    >>> round(mean, 2)
    0.8

    Reference:
        Antol et al., "VQA: Visual Question Answering" (2015), and `vqaEval.py` of the data set.
    """
    check_answers(answers, predictions)
    per_question = {}
    for question_id, each in answers.items():
        prediction = select_normalizer(each)(predictions[question_id])
        per_question[question_id] = answer_accuracies(each).get(prediction, 0.0)
    return sum(per_question.values()) / len(per_question), per_question


def check_answers(answers, predictions):
    """Raises an error unless both are dicts of the same questions, with strings.

    Args:
        answers, predictions: as for `vqa_accuracy`.
    """
    for name, values in (("answers", answers), ("predictions", predictions)):
        if not isinstance(values, Mapping):
            raise TypeError(
                f"`{name}` must be a dict with question ids, not {type(values).__name__}."
            )
    for question_id, each in answers.items():
        _check_list(question_id, each)
    unmatched = [i for i in (*answers, *predictions) if i not in answers or i not in predictions]
    if unmatched or not answers:
        raise ValueError(
            "`answers` and `predictions` must have the same question ids, at least one; these are "
            f"in only one: {list_ids(unmatched)}."
        )
    unanswered = [question_id for question_id, each in answers.items() if not len(each)]
    if unanswered:
        raise ValueError(f"`answers` is empty for these question ids: {list_ids(unanswered)}.")
    for question_id, each in answers.items():
        _check_strings(question_id, each, predictions[question_id])


def _check_list(question_id, answers):
    if isinstance(answers, str) or not hasattr(answers, "__len__"):
        received = "one string" if isinstance(answers, str) else type(answers).__name__
        raise TypeError(
            f"`answers` must have a list of strings for question {question_id!r}, not {received}: "
            f"{answers!r:.80}"
        )


def _check_strings(question_id, answers, prediction):
    for argument, answer in (("predictions", prediction), *(("answers", each) for each in answers)):
        if not isinstance(answer, str):
            raise TypeError(
                f"`{argument}` must have strings for question {question_id!r}, not "
                f"{type(answer).__name__}: {answer!r:.80}"
            )
