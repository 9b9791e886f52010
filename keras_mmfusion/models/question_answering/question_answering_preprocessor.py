import keras
import numpy as np

from keras_mmfusion._checks import check_integer
from keras_mmfusion._keras_internals import uses_tensorflow_operations
from keras_mmfusion.datasets.io.check_texts import check_texts
from keras_mmfusion.models.captioning.captioning_preprocessor import CaptioningPreprocessor


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class QuestionAnsweringPreprocessor(CaptioningPreprocessor):
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

    def tokenize_questions(self, questions):
        """Converts a list of strings to a list of lists of ids, without padding."""
        limit = self.question_length - 2
        end = self.tokenizer.end_token_id
        return [
            [self._first_id, *(int(token) for token in ids[:limit]), end]
            for ids in self.tokenizer(questions)
        ]

    @property
    def _first_id(self):
        return getattr(self.tokenizer, "cls_token_id", self.tokenizer.start_token_id)

    def pack_questions(self, questions):
        """Packs questions `(...)` into ids and a mask `(..., question_length)`, NumPy arrays."""
        check_texts(questions, "questions")
        questions = np.asarray(questions)
        rows = self.tokenize_questions(questions.ravel().tolist())
        ids = np.full((len(rows), self.question_length), self.tokenizer.pad_token_id, "int32")
        mask = np.zeros(ids.shape, "bool")
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = True
        shape = (*questions.shape, self.question_length)
        return ids.reshape(shape), mask.reshape(shape)

    def pack_questions_tensor(self, questions):
        """Implements `pack_questions` with TensorFlow operations."""
        import tensorflow as tf

        questions = tf.convert_to_tensor(questions)
        tokens = self.tokenizer(tf.reshape(questions, [-1]))[:, : self.question_length - 2]
        rows = tokens.nrows()
        first, end = (
            tf.fill([rows, 1], tf.constant(token, tokens.dtype))
            for token in (self._first_id, self.tokenizer.end_token_id)
        )
        tokens = tf.concat([first, tokens, end], axis=1)
        ids = tokens.to_tensor(self.tokenizer.pad_token_id, shape=[None, self.question_length])
        mask = tf.sequence_mask(tokens.row_lengths(), self.question_length)
        shape = tf.concat([tf.shape(questions), [self.question_length]], axis=0)
        static_shape = [*questions.shape, self.question_length]
        return (
            tf.ensure_shape(tf.reshape(ids, shape), static_shape),
            tf.ensure_shape(tf.reshape(mask, shape), static_shape),
        )

    def get_config(self):
        return {**super().get_config(), "question_length": self.question_length}
