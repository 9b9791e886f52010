"""The answers that a question may have."""

import numpy as np

from keras_mmfusion.datasets.io.string_lists import check_strings
from keras_mmfusion.metrics.visual_question_answering import normalize_answer


class AnswerChoices:
    """The answers to choose from, for all questions or for each.

    Args:
        answers: list of strings, all answers of a model.
        choices: list of strings, a list of such lists, or `None` for all answers. A choice equals
            an answer or, after `normalize_answer`, a normalized one.

    Raises:
        ValueError: if a choice is not an answer, or there are no choices.

    Example:

    >>> choices = AnswerChoices(["yes", "no", "2"], ["No", "two"])
    >>> choices.get_classes(0).tolist(), choices.min_count
    ([1, 2], 2)
    """

    def __init__(self, answers, choices=None):
        self.each = None
        if choices is None:
            self.shared = np.arange(len(answers))
            self.min_count = len(answers)
            return
        index = _index_answers(answers)
        if are_choices_by_question(choices):
            self.each = [_find_classes(index, each) for each in choices]
            self.min_count = min(map(len, self.each))
        else:
            self.shared = _find_classes(index, choices)
            self.min_count = len(self.shared)

    def get_classes(self, row):
        """Returns the indices of the answers that question `row` may have, an int array."""
        if self.each is None:
            return self.shared
        # Checked at the end, when the number of questions is known.
        return self.each[min(row, len(self.each) - 1)]

    def check_count(self, count):
        """Raises an error if there are choices by question, but not for `count` questions."""
        if self.each is not None and len(self.each) != count:
            raise ValueError(
                f"`choices` must contain one list for each of {count} questions. Received: "
                f"{len(self.each)} lists"
            )


def are_choices_by_question(choices):
    """Returns whether `choices` is a list with a list of strings for each question."""
    is_list = hasattr(choices, "__iter__") and not isinstance(choices, (str, bytes))
    choices = list(choices) if is_list else []
    return bool(choices) and all(
        hasattr(each, "__iter__") and not isinstance(each, (str, bytes)) for each in choices
    )


def keep_known_choices(answers, choices):
    """Returns the choices that `AnswerChoices` accepts.

    Args:
        answers: list of strings, all answers of a model.
        choices: list of lists of strings, the choices of each question.

    Returns:
        List of lists of strings; all answers for a question without a known choice.

    Example:

    >>> keep_known_choices(["yes", "no"], [["No", "maybe"], ["never"]])
    [['No'], ['yes', 'no']]
    """
    index = _index_answers(answers)
    known = [[c for c in each if _find_class(index, c) is not None] for each in choices]
    return [each or list(answers) for each in known]


def _index_answers(answers):
    """Returns a dict, answer or normalized answer -> class."""
    index = {normalize_answer(answer): i for i, answer in reversed(list(enumerate(answers)))}
    return index | {answer: i for i, answer in enumerate(answers)}


def _find_class(index, choice):
    return index.get(choice, index.get(normalize_answer(choice)))


def _find_classes(index, choices):
    check_strings("choices", choices)
    found = [_find_class(index, choice) for choice in choices]
    unknown = [choice for choice, i in zip(choices, found, strict=True) if i is None]
    if unknown or not found:
        raise ValueError(
            "`choices` must be answers in `model.answers`, at least one. Not among them: "
            f"{unknown!r:.200}"
        )
    return np.array(found)
