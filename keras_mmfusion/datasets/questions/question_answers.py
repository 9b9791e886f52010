"""Questions about images with human answers."""

import collections
import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.datasets.images.image_files import find_missing_files, raise_if_any
from keras_mmfusion.datasets.io.string_lists import check_string_lists, check_strings, list_paths
from keras_mmfusion.datasets.questions.class_scores import score_classes
from keras_mmfusion.metrics.visual_question_answering import select_normalizer

_LISTS = ("images", "questions", "answers", "question_ids", "types")


@dataclasses.dataclass(frozen=True, repr=False)
class QuestionAnswers:
    """A split of a visual question answering data set.

    Args:
        images: list of strings. The path of the image of each question.
        questions: list of strings.
        answers: list of lists of strings. The human answers to each question: ten in VQA, one in
            easy-VQA and Visual Genome, none in test splits without answers.
        question_ids: list of ints or strings.
        types: list of dicts of strings, the types of each question, such as `{"answer_type":
            "number", "question_type": "how many"}`. Defaults to empty dicts.
        num_without_image: int. The number of questions that were left out because their image file
            is missing.

    Raises:
        ValueError: if there are no questions, lengths differ, an id is repeated, an image file is
            missing, or an argument is a string instead of a list.

    Example:

    >>> import tempfile
    >>> from keras_mmfusion.datasets import QuestionAnswers
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     data = QuestionAnswers(
    ...         images=[file.name, file.name],
    ...         questions=["What is it?", "How many are there?"],
    ...         answers=[["A dog.", "dog", "dog", "puppy"], ["one", "1", "1", "two"]],
    ...         question_ids=[10, 11],
    ...     )
    >>> data.list_frequent_answers(2)
    ['dog', '1']
    >>> from keras_mmfusion.metrics import vqa_accuracy
    >>> vqa_accuracy(data.answers_by_id, {10: "a dog", 11: "3"})
    (0.375, {10: 0.75, 11: 0.0})
    """

    images: list
    questions: list
    answers: list
    question_ids: list
    types: list = None
    num_without_image: int = 0

    def __post_init__(self):
        object.__setattr__(self, "images", list_paths("images", self.images))
        check_strings("questions", self.questions)
        object.__setattr__(self, "questions", list(self.questions))
        check_string_lists("answers", self.answers)
        object.__setattr__(self, "answers", [list(each) for each in self.answers])
        types = [{}] * len(self.questions) if self.types is None else list(self.types)
        object.__setattr__(self, "types", types)
        lengths = {name: len(getattr(self, name)) for name in _LISTS}
        if len(set(lengths.values())) > 1 or not self.questions:
            raise ValueError(
                "`images`, `questions`, `answers`, `question_ids` and `types` must be of equal "
                f"length and not empty. Received lengths: {lengths}"
            )
        counts = collections.Counter(self.question_ids)
        raise_if_any([i for i, n in counts.items() if n > 1], "`question_ids` has repeated ids:")
        raise_if_any(find_missing_files(self.images), "`images` contains paths that do not exist:")

    def __len__(self):
        return len(self.questions)

    def __repr__(self):
        images, answers = len(set(self.images)), sum(map(len, self.answers))
        return short_repr(self, questions=len(self), images=images, answers=answers)

    def take(self, count):
        """Returns the first `count` questions, as `QuestionAnswers`."""
        return self.select(range(len(self))[:count])

    def select(self, rows):
        """Returns the questions with the indices `rows`, as `QuestionAnswers`."""
        parts = {name: [getattr(self, name)[row] for row in rows] for name in _LISTS}
        return dataclasses.replace(self, **parts)

    def split_by_image(self, fraction, seed=0):
        """Splits off the questions about some of the images.

        Args:
            fraction: float between 0 and 1. The share of the images that are split off.
            seed: int. Seed of the selection, which does not depend on the order of the questions
                or the folder of the images.

        Returns:
            A tuple of two `QuestionAnswers`: the rest, and the questions about these images.

        Raises:
            ValueError: if one part has no images.
        """
        images = sorted(set(self.images))
        count = round(fraction * len(images))
        if not 0 < count < len(images):
            raise ValueError(
                f"`fraction` must leave images for both parts. Received: fraction={fraction}, of "
                f"{len(images)} images"
            )
        selected = set(np.random.default_rng(seed).permutation(images)[:count].tolist())
        parts = [], []
        for row, image in enumerate(self.images):
            parts[image in selected].append(row)
        return self.select(parts[0]), self.select(parts[1])

    @property
    def answers_by_id(self):
        """Dict, question id -> list of answers: the references of `metrics.vqa_accuracy`."""
        return dict(zip(self.question_ids, self.answers, strict=True))

    def list_frequent_answers(self, count):
        """Returns the most frequent answers: the classes of an answer classifier.

        Args:
            count: int. The maximum number of answers.

        Returns:
            List of strings, normalized as by `metrics.answer_accuracies`.
        """
        counts = collections.Counter()
        for answers in self.answers:
            counts.update(map(select_normalizer(answers), answers))
        del counts[""]
        return [answer for answer, _ in counts.most_common(count)]

    def answer_scores(self, classes, leave_one_out=True):
        """Computes the score of each class as an answer, the targets of an answer classifier.

        Args:
            classes: list of strings, such as the result of `list_frequent_answers`.
            leave_one_out: bool. Whether the score is the class's `metrics.vqa_accuracy` as a
                prediction; otherwise it is `min(n / 3, 1)` for an answer that `n` people gave, and
                1 for the only answer.

        Returns:
            List with a dict for each question, class index -> score, if it is greater than 0.
        """
        check_strings("classes", classes)
        return score_classes(self.answers, classes, leave_one_out)
