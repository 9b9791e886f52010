"""VQA's consensus accuracy, and how its evaluation code makes answers comparable."""

import collections
import functools
import re
from collections.abc import Mapping

from keras_mmfusion.metrics.caption_inputs import list_ids

_NUMBERS = "zero one two three four five six seven eight nine ten"
_DIGITS = {word: str(number) for number, word in enumerate(_NUMBERS.split())} | {"none": "0"}
_ARTICLES = {"a", "an", "the"}
_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
# The evaluation code passes a flag, `re.UNICODE`, where `sub` takes the number of replacements.
_MOST_PERIODS = int(re.UNICODE)

# Words that take each ending; written without the apostrophe they get it back.
_ENDINGS = {
    "n't": "ai are ca could did does do had has have is might must need ought sha should was "
    "were wo would",
    "'ve": "could might must not should they we what where who would you",
    "'d": "he how it someone something there they where who you",
    "'ll": "how it somebody someone something they what who why you",
    "'s": "he how somebody someone that there what when where who why",
    "'re": "there they what why you",
}
# Words with several apostrophes get one back, not two.
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
    "somebody'd": "somebodyd",  # The other way round, as in the evaluation code.
}


# People give the same few answers over and over.
@functools.lru_cache(maxsize=100_000)
def normalize_answer(answer):
    """Writes an answer as VQA's evaluation code compares it.

    Punctuation but `.`, `:` and `'` is removed where it stands beside a space anywhere in the
    answer, or the answer has a comma between digits, and otherwise becomes a space; periods are
    removed unless a digit follows; then lower case, numbers up to ten and "none" as digits, no
    articles, and the apostrophes of contractions.

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
    written = text
    for mark in _PUNCTUATION:
        apart = f"{mark} " in text or f" {mark}" in text
        written = written.replace(mark, "" if apart or thousands else " ")
    written = re.sub(r"\.(?!\d)", "", written, count=_MOST_PERIODS)
    words = [_DIGITS.get(word, word) for word in written.lower().split()]
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


def trim_answer(answer):
    """Removes line breaks, tabs, and white space at the ends of an answer.

    Args:
        answer: string.

    Returns:
        A string.
    """
    if not isinstance(answer, str):
        raise TypeError(f"`answer` must be a string, not {type(answer).__name__}: {answer!r:.80}")
    return answer.replace("\n", " ").replace("\t", " ").strip()


def select_normalizer(people):
    """Tells how VQA's evaluation code writes the answers to a question to compare them.

    If several people were asked and all wrote the same, answers are only trimmed, so that text
    that was read off the image stays as it is.

    Args:
        people: list of strings, the answers that people gave to the question.

    Returns:
        `trim_answer` or `normalize_answer`.

    Example:

    >>> select_normalizer(["No. 5", "No. 5"])("No. 5")
    'No. 5'
    >>> select_normalizer(["No. 5", "five"])("No. 5")
    'no 5'
    """
    unanimous = len(people) > 1 and len(set(map(trim_answer, people))) == 1
    return trim_answer if unanimous else normalize_answer


def answer_accuracies(people):
    """How right each answer that people gave to a question is, by VQA's consensus.

    `accuracy(a) = mean over people i of min(1, people other than i who answered a / 3)`.

    With ten people, an answer that one, two or three of them gave is 0.3, 0.6 or 0.9 right. A
    question with one answer has no consensus: that answer is right. Answers are compared as
    `normalize_answer` writes them; as they are, if all of several people wrote the same.

    Args:
        people: list of strings, the answers that people gave.

    Returns:
        Dict of answer, as it is compared -> float, in the order of `people`.

    Example:

    >>> answer_accuracies(["Two", "2", "three"] + ["many"] * 7)
    {'2': 0.6, '3': 0.3, 'many': 1.0}
    >>> answer_accuracies(["a dog"])
    {'dog': 1.0}
    """
    if isinstance(people, str) or not all(isinstance(answer, str) for answer in people):
        raise TypeError(f"`people` must be a list of strings, not {people!r:.80}")
    counts = collections.Counter(map(select_normalizer(people), people))
    if len(people) == 1:
        return dict.fromkeys(counts, 1.0)
    return {
        answer: ((len(people) - n) * min(3, n) + n * min(3, n - 1)) / (3 * len(people))
        for answer, n in counts.items()
    }


def vqa_accuracy(answers, predictions):
    """VQA's accuracy: an answer is right if three of the people asked gave it.

    The numbers are those of the data set's evaluation code; see `answer_accuracies` for the
    formula and for what counts as the same answer.

    Args:
        answers: dict of question id -> list of the answers of people: ten in VQA; with one, as in
            Visual Genome, for which the evaluation code gives 0 whatever is said, the prediction
            must equal it once both are normalized.
        predictions: dict of question id -> string.

    Returns:
        A tuple `(mean, per_question)`: a float, and a dict of question id -> float.

    Raises:
        TypeError: if a prediction or an answer is no string.
        ValueError: if the two have different ids, or a question has no answer.

    Example:

    >>> people = {1: ["yes"] * 2 + ["no"] * 8, 2: ["two"] * 9 + ["three"]}
    >>> mean, _ = vqa_accuracy(people, {1: "Yes!", 2: "2"})
    >>> round(mean, 2)
    0.8

    Reference:
        Antol et al., "VQA: Visual Question Answering" (2015), and `vqaEval.py` of the data set.
    """
    for name, values in (("answers", answers), ("predictions", predictions)):
        if not isinstance(values, Mapping):
            raise TypeError(
                f"`{name}` must be a dict with question ids, not {type(values).__name__}."
            )
    for question_id, people in answers.items():
        _check_list(question_id, people)
    one_sided = [i for i in (*answers, *predictions) if i not in answers or i not in predictions]
    if one_sided or not answers:
        raise ValueError(
            "`answers` and `predictions` must have the same question ids, at least one; these are "
            f"in one only: {list_ids(one_sided)}."
        )
    unanswered = [question_id for question_id, people in answers.items() if not len(people)]
    if unanswered:
        raise ValueError(f"`answers` has none for these question ids: {list_ids(unanswered)}.")
    for question_id, people in answers.items():
        _check_strings(question_id, people, predictions[question_id])
    per_question = {}
    for question_id, people in answers.items():
        prediction = select_normalizer(people)(predictions[question_id])
        per_question[question_id] = answer_accuracies(people).get(prediction, 0.0)
    return sum(per_question.values()) / len(per_question), per_question


def _check_list(question_id, people):
    if isinstance(people, str) or not hasattr(people, "__len__"):
        what = "one string" if isinstance(people, str) else type(people).__name__
        raise TypeError(
            f"`answers` must have a list of strings for question {question_id!r}, not {what}: "
            f"{people!r:.80}"
        )


def _check_strings(question_id, people, prediction):
    for argument, answer in (("predictions", prediction), *(("answers", each) for each in people)):
        if not isinstance(answer, str):
            raise TypeError(
                f"`{argument}` must have strings for question {question_id!r}, not "
                f"{type(answer).__name__}: {answer!r:.80}"
            )
