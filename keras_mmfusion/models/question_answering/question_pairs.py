"""Pairs of images and questions from the arguments of question answerers."""

import itertools

from keras_mmfusion.datasets.images.read_images import read_images
from keras_mmfusion.datasets.io.check_texts import check_texts


def pair_questions(images, questions, drop_alpha=False):
    """Reads images lazily and pairs them with questions.

    Args:
        images, questions: see `QuestionAnsweringModel.answer`.
        drop_alpha: bool. Whether to ignore transparency; see `read_image`.

    Returns:
        A tuple of an iterator over tuples of a uint8 array `(height, width, 3)` and a string, and
        whether there is only one question.

    Raises:
        ValueError: from the iterator, if there is not one question for each image.
    """
    check_texts(questions, "questions")
    one_question = isinstance(questions, str)
    questions = [questions] if one_question else list(questions)
    images, one_image = read_images(images, drop_alpha=drop_alpha)
    if one_image:
        images = itertools.repeat(next(images), len(questions))
    return _zip_equal(images, questions), one_question


def _zip_equal(images, questions):
    try:
        yield from zip(images, questions, strict=True)
    except ValueError as error:
        if "zip()" not in str(error):
            raise
        raise ValueError(
            f"`questions` must contain one question for each image. Received: {len(questions)} "
            "questions and a different number of images"
        ) from error
