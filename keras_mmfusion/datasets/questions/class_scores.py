"""Scores of answer classes as answers to questions."""

import collections

from keras_mmfusion.metrics.visual_question_answering import (
    answer_accuracies,
    normalize_answer,
    select_normalizer,
    trim_answer,
)


def score_classes(answers, classes, leave_one_out=True):
    """Computes the score of each class as an answer to each question.

    Args:
        answers: list of lists of strings, the human answers to each question.
        classes: list of strings.
        leave_one_out: bool. Whether the score is the expected VQA accuracy, see
            `metrics.answer_accuracies`; otherwise it is `min(n / 3, 1)` for an answer that `n`
            people gave, and 1 for the answer to a question with only one.

    Returns:
        List with a dict for each question, class index -> score, without scores of 0.

    Example:

    >>> score_classes([["two", "2", "dog"]], ["2", "dog"], leave_one_out=False)
    [{0: 0.6666666666666666, 1: 0.3333333333333333}]
    """
    score = answer_accuracies if leave_one_out else _count_agreement
    indices = {
        normalize: _index_classes(classes, normalize)
        for normalize in (trim_answer, normalize_answer)
    }
    return [
        {
            index: value
            for answer, value in score(each).items()
            if value > 0
            for index in indices[select_normalizer(each)].get(answer, ())
        }
        for each in answers
    ]


def _count_agreement(answers):
    counts = collections.Counter(map(select_normalizer(answers), answers))
    if len(answers) == 1:
        return dict.fromkeys(counts, 1.0)
    return {answer: min(count / 3, 1.0) for answer, count in counts.items()}


def _index_classes(classes, normalize):
    """Returns a dict, normalized answer -> list of the indices of its classes."""
    indices = collections.defaultdict(list)
    for index, answer in enumerate(classes):
        indices[normalize(answer)].append(index)
    return indices
