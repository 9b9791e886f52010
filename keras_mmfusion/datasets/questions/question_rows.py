"""Questions as they are published, to what a model can be trained on."""

from keras_mmfusion.datasets.images.image_files import missing_files
from keras_mmfusion.datasets.io.json_annotations import clean_text, warn_left_out
from keras_mmfusion.datasets.questions.question_answers import QuestionAnswers


def clean_questions(rows, answered=True, skip_missing_images=False):
    """Leaves out questions that cannot be used, with a warning that names some of them.

    Args:
        rows: list of tuples: id, path of the image file, question, list of answers.
        answered: bool. Whether a question without an answer is of no use.
        skip_missing_images: bool. Whether to leave out questions on images without a file.

    Returns:
        `QuestionAnswers`.
    """
    kept, empty, unanswered, blind = [], [], [], []
    missing = set(missing_files(row[1] for row in rows)) if skip_missing_images else set()
    for question_id, image, question, answers in rows:
        question = clean_text(question)
        answers = [answer for answer in map(clean_text, answers) if answer]
        if not question:
            empty.append(question_id)
        elif answered and not answers:
            unanswered.append(question_id)
        elif image in missing:
            blind.append(question_id)
        else:
            kept.append((image, question, answers, question_id))
    warn_left_out("empty questions, by id", empty)
    warn_left_out("questions without an answer, by id", unanswered)
    warn_left_out("questions without an image file, by id", blind)
    return (
        QuestionAnswers(*map(list, zip(*kept, strict=True))) if kept else QuestionAnswers(*[[]] * 4)
    )
