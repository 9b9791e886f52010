"""Questions about videos with human answers."""

import dataclasses

from keras_mmfusion.datasets.io.annotations import clean_text
from keras_mmfusion.datasets.io.string_lists import check_string_lists
from keras_mmfusion.datasets.questions.question_answers import QuestionAnswers
from keras_mmfusion.datasets.questions.question_cleaning import clean_questions


@dataclasses.dataclass(frozen=True, repr=False)
class VideoQuestionAnswers(QuestionAnswers):
    """A split of a data set of questions about videos.

    Args:
        images: list of strings. The path of the video of each question.
        questions, answers, question_ids, types, num_without_image: see `QuestionAnswers`.
        choices: list of lists of strings. The answers to choose from; an empty list for an open
            question. Defaults to empty lists.

    Raises:
        ValueError: see `QuestionAnswers`; or if there is not one list of choices for each question.
    """

    choices: list = None

    def __post_init__(self):
        super().__post_init__()
        choices = [[] for _ in self.questions] if self.choices is None else self.choices
        check_string_lists("choices", choices)
        object.__setattr__(self, "choices", [list(each) for each in choices])
        if len(self.choices) != len(self.questions):
            raise ValueError(
                "`choices` must have one list for each question. Received: "
                f"{len(self.choices)} lists, {len(self.questions)} questions"
            )

    def take(self, count):
        """Returns the first `count` questions, as `VideoQuestionAnswers`."""
        names = ("images", "questions", "answers", "question_ids", "types", "choices")
        return dataclasses.replace(self, **{name: getattr(self, name)[:count] for name in names})


def clean_video_questions(rows, skip_missing_videos=False):
    """Drops questions without text, answer or, optionally, video file, with a warning.

    Args:
        rows: list of tuples: id, path of the video, question, answer, dict of types, and list of
            choices.
        skip_missing_videos: bool. Whether to drop questions without a video file instead of
            raising an error.

    Returns:
        `VideoQuestionAnswers`.
    """
    choices = {row[0]: [clean_text(choice) for choice in row[5]] for row in rows}
    rows = [(*row[:3], [row[3]], row[4]) for row in rows]
    data = clean_questions(rows, skip_missing_images=skip_missing_videos)
    fields = {field.name: getattr(data, field.name) for field in dataclasses.fields(data)}
    return VideoQuestionAnswers(**fields, choices=[choices[i] for i in data.question_ids])
