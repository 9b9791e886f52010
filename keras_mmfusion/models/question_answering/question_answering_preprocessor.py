import keras
import numpy as np

from keras_mmfusion._checks import check_integer
from keras_mmfusion._keras_internals import uses_tensorflow_operations
from keras_mmfusion.models.captioning.captioning_preprocessor import CaptioningPreprocessor
from keras_mmfusion.models.question_answering.question_packing import QuestionPacking


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class QuestionAnsweringPreprocessor(QuestionPacking, CaptioningPreprocessor):
    """Preprocesses images, questions and answers for `BlipQuestionAnswerer`.

    With `q` the ids of a question, `L = question_length`, and `[CLS]` the tokenizer's
    `cls_token_id`, or its start token if it has none:

        questions      [CLS] q_1 ... q_n [END] [PAD] ...     (L ids)
        question_mask  1     1   ... 1   1     0     ...

    Answers are packed like the captions of `CaptioningPreprocessor`.

    Args:
        tokenizer: tokenizer with `start_token_id`, `end_token_id` and `pad_token_id`.
        image_converter: a `keras_hub.layers.ImageConverter`.
        sequence_length: int. The number of ids of an answer.
        question_length: int. The number of ids of a question, from 2.
        **kwargs: passed to `CaptioningPreprocessor`.

    Call arguments:
        x: dict with `"images"` `(batch, height, width, 3)`, and `"questions"` and `"answers"`,
            strings `(batch,)`.
        y: must be `None`; the targets are computed from the answers.
        sample_weight: optional weights of the answers, `(batch,)`.

    Returns:
        A tuple `(x, y, sample_weight)`: `x` is a dict of `"images"`, `"questions"`,
        `"question_mask"` and `"answers"`.
    """

    def __init__(
        self, tokenizer, image_converter, sequence_length=10, question_length=35, **kwargs
    ):
        super().__init__(tokenizer, image_converter, sequence_length, **kwargs)
        self.question_length = check_integer(self, "question_length", question_length, 2)

    def call(self, x, y=None, sample_weight=None):
        if not isinstance(x, dict) or not {"images", "questions", "answers"} <= x.keys():
            received = sorted(x) if isinstance(x, dict) else type(x)
            raise ValueError(
                f"`x` must be a dict with 'images', 'questions' and 'answers'. Received: {received}"
            )
        captions = {"images": x["images"], "captions": x["answers"]}
        inputs, targets, weights = super().call(captions, y, sample_weight)
        pack = self.pack_questions
        if uses_tensorflow_operations(self):
            pack = self.pack_questions_tensor
        questions, mask = pack(x["questions"])
        inputs = {
            "images": inputs["images"],
            "questions": questions,
            "question_mask": mask,
            "answers": inputs["captions"],
        }
        return inputs, targets, weights

    def convert_image(self, image):
        """Resizes and scales an array `(height, width, 3)`; returns a float32 NumPy array."""
        images = self.generate_preprocess(np.asarray(image)[np.newaxis])
        return np.asarray(keras.ops.convert_to_numpy(images)[0], "float32")

    def get_config(self):
        return {**super().get_config(), "question_length": self.question_length}
