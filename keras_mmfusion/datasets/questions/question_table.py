"""Reads custom questions and answers: a folder of images and a table."""

import os

from keras_mmfusion.datasets.io.table_rows import Table
from keras_mmfusion.datasets.questions.question_cleaning import clean_questions


def read_question_table(folder, table, skip_missing_images=False):
    """Reads a table of images, questions and answers.

    Args:
        folder: string or path. The folder of the images.
        table: string or path of a CSV file with the columns `image`, `question` and `answer`; of a
            JSON lines file (`.jsonl`, `.ndjson`) of objects with `"image"`, `"question"`, and
            `"answer"` or, for several human answers, a list `"answers"`; or a pandas `DataFrame`
            with these columns. `image` is a path relative to `folder`. If `answer` is the last
            column of a CSV file, answers may contain unquoted commas.
        skip_missing_images: bool. Whether to drop questions without an image file instead of
            raising an error.

    Returns:
        `QuestionAnswers`, one question for each row; its id is the number of its line. Empty
        questions and questions without an answer are dropped with a warning.

    Raises:
        ValueError: if the table is invalid or has no rows, or an image file is missing.
    """
    is_plural = hasattr(table, "columns") and "answers" in table.columns
    answer = "answers" if is_plural else "answer"
    folder = os.path.expanduser(folder)
    table = Table(table, ("image", "question", answer), answer)
    rows = []
    for line, row in table.read_rows():
        image, question = row.get("image"), row.get("question")
        answers = row.get("answers", row.get("answer"))
        answers = [answers] if isinstance(answers, str) else answers
        texts = [image, question, *answers] if isinstance(answers, (list, tuple)) else [None]
        if not all(isinstance(text, str) for text in texts) or not image.strip():
            raise ValueError(
                f"{table.name}, {table.unit} {line}: each row of `table` must have an 'image', a "
                f"'question' and an 'answer'. Received: {row!r:.200}"
            )
        rows.append((line, os.path.join(folder, image.strip()), question, answers))
    if not rows:
        raise ValueError(f"{table.name} has no rows; it must have at least one question.")
    return clean_questions(rows, skip_missing_images=skip_missing_images)
