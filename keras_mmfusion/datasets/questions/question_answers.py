"""Questions on image files with people's answers, before anything is decoded."""

import collections
import dataclasses

from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.datasets.images.image_files import complain, missing_files
from keras_mmfusion.datasets.io.string_lists import check_string_lists, check_strings, list_paths
from keras_mmfusion.metrics.visual_question_answering import (
    answer_accuracies,
    normalize_answer,
    select_normalizer,
    trim_answer,
)


@dataclasses.dataclass(frozen=True, repr=False)
class QuestionAnswers:
    """A split of a visual question answering data set, whichever it is.

    Args:
        images: list of strings. The path of each question's image file.
        questions: list of strings.
        answers: list of lists of strings. The answers that people gave to each question: ten in
            VQA, one in easy-VQA and Visual Genome, none in a test split without answers.
        question_ids: list of ints or strings.

    Raises:
        ValueError: if there are no questions, lengths differ, an id is there twice, an image file
            is missing, or one string stands in place of a list.

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
    >>> data.frequent_answers(2)
    ['dog', '1']
    >>> from keras_mmfusion.metrics import vqa_accuracy
    >>> vqa_accuracy(data.answers_by_id, {10: "a dog", 11: "3"})
    (0.375, {10: 0.75, 11: 0.0})
    """

    images: list
    questions: list
    answers: list
    question_ids: list

    def __post_init__(self):
        object.__setattr__(self, "images", list_paths("images", self.images))
        check_strings("questions", self.questions)
        object.__setattr__(self, "questions", list(self.questions))
        check_string_lists("answers", self.answers)
        object.__setattr__(self, "answers", [list(each) for each in self.answers])
        lengths = {field.name: len(getattr(self, field.name)) for field in dataclasses.fields(self)}
        if len(set(lengths.values())) > 1 or not self.questions:
            raise ValueError(
                "`images`, `questions`, `answers` and `question_ids` must be of equal length and "
                f"not empty. Received lengths: {lengths}"
            )
        counts = collections.Counter(self.question_ids)
        complain([i for i, n in counts.items() if n > 1], "`question_ids` has more than once")
        complain(missing_files(self.images), "`images` names files that do not exist:")

    def __len__(self):
        return len(self.questions)

    def __repr__(self):
        images, answers = len(set(self.images)), sum(map(len, self.answers))
        return short_repr(self, questions=len(self), images=images, answers=answers)

    def take(self, count):
        """The first `count` questions, as `QuestionAnswers`."""
        return QuestionAnswers(
            **{field.name: getattr(self, field.name)[:count] for field in dataclasses.fields(self)}
        )

    @property
    def answers_by_id(self):
        """Dict of question id -> list of answers, as `metrics.vqa_accuracy` takes it."""
        return dict(zip(self.question_ids, self.answers, strict=True))

    def frequent_answers(self, count):
        """The answers that people gave most often: the classes of a model that chooses one.

        Args:
            count: int.

        Returns:
            List of at most `count` strings, written as `metrics.answer_accuracies` does.
        """
        counts = collections.Counter()
        for people in self.answers:
            counts.update(map(select_normalizer(people), people))
        del counts[""]
        return [answer for answer, _ in counts.most_common(count)]

    def answer_scores(self, classes):
        """How right each class is for each question, for a loss of yes or no for each class.

        Args:
            classes: list of strings, such as `frequent_answers` gives.

        Returns:
            List of dicts, a question's, index of a class -> what `metrics.vqa_accuracy` gives for
            the class as a prediction, where it is above 0.
        """
        check_strings("classes", classes)
        places = {form: _places(classes, form) for form in (trim_answer, normalize_answer)}
        return [
            {
                place: accuracy
                for answer, accuracy in answer_accuracies(people).items()
                for place in places[select_normalizer(people)].get(answer, ())
            }
            for people in self.answers
        ]


def _places(classes, form):
    """Dict of answer -> list of the indices of the classes that are written in this way."""
    places = collections.defaultdict(list)
    for place, answer in enumerate(classes):
        places[form(answer)].append(place)
    return places
