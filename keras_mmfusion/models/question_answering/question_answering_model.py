"""The base of the models that answer questions about images."""

import dataclasses

from keras_mmfusion.models.presets.preset_folder import PresetModel


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer to a question.

    Args:
        text: string.
        probability: float.
    """

    text: str
    probability: float


def select_answers(answers, top_k=1, details=False):
    """Returns the first of a list of `Answer`s, or `top_k` of them.

    See `QuestionAnsweringModel.answer`.

    Example:

    >>> select_answers([Answer("yes", 0.9), Answer("no", 0.1)], top_k=2)
    ['yes', 'no']
    """
    selected = answers[:top_k] if details else [answer.text for answer in answers[:top_k]]
    return selected if top_k > 1 else selected[0]


class QuestionAnsweringModel(PresetModel):
    """Base of models that answer questions about images.

    `QuestionAnsweringModel.from_preset` loads question answerers of all classes, and
    `keras_mmfusion.zoo.vqa` does the same. Subclasses implement `answer` and also inherit from a
    Keras base class.

    Args:
        *args, **kwargs: passed to the Keras base class.
    """

    def answer(self, images, questions, top_k=1, details=False, batch_size=32):
        """Answers questions about images.

        Args:
            images: one image or several: paths, encoded bytes, open files, PIL images, arrays,
                tensors; a list, array or pandas `Series` of them.
            questions: string or list of strings: one question for each image, or several about one
                image.
            top_k: int. The number of answers to each question, the most probable first.
            details: bool. Whether to return `Answer`s, with probabilities, instead of strings.
            batch_size: int. Maximum number of questions answered together.

        Returns:
            The answer as a string for one question, a list of answers for several. With `top_k`
            above 1, a list of answers takes the place of each answer.
        """
        raise NotImplementedError
