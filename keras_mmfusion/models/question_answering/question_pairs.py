"""Pairs of images and questions from the arguments of question answerers."""

import itertools

from keras_mmfusion.datasets.images.read_images import pair_with_images, read_images
from keras_mmfusion.datasets.io.check_texts import check_texts
from keras_mmfusion.datasets.videos.read_videos import read_videos


def pair_questions(images, questions, drop_alpha=False, num_frames=None):
    """Reads images lazily and pairs them with questions.

    Args:
        images, questions: see `QuestionAnsweringModel.answer`.
        drop_alpha: bool. Whether to ignore transparency; see `read_image`.
        num_frames: int or `None`. The number of frames that are read of each video; `None` for
            images. See `read_videos`.

    Returns:
        A tuple of an iterator over tuples of a uint8 array `(height, width, 3)`, or a list of them
        for a video, and a string, and whether there is only one question.

    Raises:
        ValueError: from the iterator, if there is not one question for each image.
    """
    check_texts(questions, "questions")
    one_question = isinstance(questions, str)
    questions = [questions] if one_question else list(questions)
    if num_frames is None:
        images, one_image = read_images(images, drop_alpha=drop_alpha)
    else:
        images, one_image = read_videos(images, num_frames)
    if one_image:
        images = itertools.repeat(next(images), len(questions))
    return pair_with_images(images, questions, "question"), one_question
