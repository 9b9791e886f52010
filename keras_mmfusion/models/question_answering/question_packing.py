"""Token ids and masks of questions."""

import warnings

import numpy as np

from keras_mmfusion.datasets.io.check_texts import check_texts


class QuestionPacking:
    """Mixin of preprocessors that pack questions; see `QuestionAnsweringPreprocessor`.

    It needs the attributes `tokenizer` and `question_length`.
    """

    def tokenize_questions(self, questions):
        """Converts a list of strings to a list of lists of ids, without padding."""
        limit = self.question_length - 2
        end = self.tokenizer.end_token_id
        return [
            [self._first_id, *(int(token) for token in ids[:limit]), end]
            for ids in self.tokenizer(questions)
        ]

    def warn_of_questions(self, questions):
        """Warns of questions without a known word, and of truncated questions, with their number.

        Args:
            questions: list of strings.
        """
        rows = self.tokenizer(questions)
        unknown = getattr(self.tokenizer, "unknown_token_id", None)
        if unknown is None and getattr(self.tokenizer, "oov_token", None) is not None:
            unknown = self.tokenizer.token_to_id(self.tokenizer.oov_token)
        rows = [[int(token) for token in row] for row in rows]
        unreadable = [i for i, row in enumerate(rows) if not set(row) - {unknown}]
        long = [i for i, row in enumerate(rows) if len(row) > self.question_length - 2]
        for indices, problem in (
            (unreadable, "have no word in the vocabulary, so that only the image is used"),
            (long, f"have more than {self.question_length - 2} tokens and are truncated"),
        ):
            if indices:
                examples = [f"{questions[i]:.60}" for i in indices[:3]]
                warnings.warn(
                    f"{len(indices)} of {len(questions)} questions {problem}, such as {examples!r}",
                    stacklevel=4,
                )

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
