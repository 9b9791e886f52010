"""Scores of answers as texts: exact match, token F1 and ANLS."""

import collections
import re
import string

from keras_mmfusion.metrics.visual_question_answering import check_answers

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
ANLS_THRESHOLD = 0.5


def exact_match(answers, predictions):
    """Computes how many predictions equal a human answer, as for SQuAD.

    Case, punctuation, articles and white space are ignored.

    Args:
        answers: dict of question id -> list of human answers.
        predictions: dict of question id -> string.

    Returns:
        A tuple `(mean, per_question)`: a float, and a dict of question id -> 0.0 or 1.0.

    Raises:
        TypeError, ValueError: as `vqa_accuracy`.

    Example:

    >>> exact_match({1: ["a red dog"], 2: ["two"]}, {1: "Red dog!", 2: "2"})
    (0.5, {1: 1.0, 2: 0.0})

    Reference:
        Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", 2016, and
        the evaluation script of SQuAD 2.0.
    """
    return _score_best(answers, predictions, lambda a, b: float(_normalize(a) == _normalize(b)))


def token_f1(answers, predictions):
    """Computes the F1 of the words of predictions, as for SQuAD; see `exact_match`.

    ```
    F1 = 2 P R / (P + R),   P = common words / words predicted,   R = common words / words of answer
    ```

    The best answer counts. If prediction or answer has no words, the score is 1 if both have none.

    Args:
        answers, predictions: as for `exact_match`.

    Returns:
        As for `exact_match`, with floats from 0 to 1.

    Example:

    >>> token_f1({1: ["a big red dog"]}, {1: "the red dog"})
    (0.8, {1: 0.8})
    """
    return _score_best(answers, predictions, _compute_f1)


def anls(answers, predictions, threshold=ANLS_THRESHOLD):
    """Computes the average normalized Levenshtein similarity, for text read from images.

    ```
    s = 1 - Levenshtein(answer, prediction) / max(len(answer), len(prediction))
    score = the highest s over the answers, or 0 if it is below the threshold
    ```

    Case is ignored, and so is repeated white space, except in the lengths, as in the evaluation
    code of the benchmark.

    Args:
        answers, predictions: as for `exact_match`.
        threshold: float.

    Returns:
        As for `exact_match`, with floats from 0 to 1.

    Example:

    >>> anls({1: ["Coca Cola"], 2: ["stop"]}, {1: "coca-cola", 2: "go"})
    (0.4444444444444444, {1: 0.8888888888888888, 2: 0.0})

    Reference:
        Biten et al., "Scene Text Visual Question Answering", 2019, equation 1.
    """

    def compare(answer, prediction):
        length = max(len(answer), len(prediction))
        first, second = (" ".join(text.lower().split()) for text in (answer, prediction))
        similarity = 1.0 - (_levenshtein(first, second) / length if length else 0.0)
        return similarity if similarity >= threshold else 0.0

    return _score_best(answers, predictions, compare)


def _score_best(answers, predictions, score):
    check_answers(answers, predictions)
    scores = {
        question_id: max(score(answer, predictions[question_id]) for answer in each)
        for question_id, each in answers.items()
    }
    return sum(scores.values()) / len(scores), scores


def _normalize(text):
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def _compute_f1(answer, prediction):
    answer, prediction = _normalize(answer).split(), _normalize(prediction).split()
    if not answer or not prediction:
        return float(answer == prediction)
    common = sum((collections.Counter(answer) & collections.Counter(prediction)).values())
    if not common:
        return 0.0
    precision, recall = common / len(prediction), common / len(answer)
    return 2 * precision * recall / (precision + recall)


def _levenshtein(first, second):
    distances = list(range(len(second) + 1))
    for row, a in enumerate(first, 1):
        diagonal, distances[0] = distances[0], row
        for column, b in enumerate(second, 1):
            substituted = diagonal + (a != b)
            diagonal = distances[column]
            distances[column] = min(substituted, diagonal + 1, distances[column - 1] + 1)
    return distances[-1]
