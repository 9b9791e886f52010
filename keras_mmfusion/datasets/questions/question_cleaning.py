"""Cleans published questions and answers for training."""

from keras_mmfusion.datasets.images.image_files import find_missing_files
from keras_mmfusion.datasets.io.annotations import clean_text, warn_skipped
from keras_mmfusion.datasets.questions.question_answers import QuestionAnswers


def clean_questions(rows, answered=True, skip_missing_images=False):
    """Drops unusable questions with a warning.

    Args:
        rows: list of tuples: id, path of the image, question, list of answers, and optionally a
            dict of the types of the question.
        answered: bool. Whether to drop questions without an answer.
        skip_missing_images: bool. Whether to drop questions without an image file.

    Returns:
        `QuestionAnswers`.
    """
    kept, empty, unanswered, without_image = [], [], [], []
    missing = set(find_missing_files(row[1] for row in rows)) if skip_missing_images else set()
    for question_id, image, question, answers, *types in rows:
        question = clean_text(question)
        answers = [answer for answer in map(clean_text, answers) if answer]
        if not question:
            empty.append(question_id)
        elif answered and not answers:
            unanswered.append(question_id)
        elif image in missing:
            without_image.append(question_id)
        else:
            kept.append((image, question, answers, question_id, *(types or [{}])))
    warn_skipped("empty questions, by id", empty)
    warn_skipped("questions without an answer, by id", unanswered)
    warn_skipped("questions without an image file, by id", without_image)
    columns = map(list, zip(*kept, strict=True)) if kept else [[]] * 5
    return QuestionAnswers(*columns, num_without_image=len(without_image))
