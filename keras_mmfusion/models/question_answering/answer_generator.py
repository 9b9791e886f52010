"""The base of the models that write the answer to a question."""

import itertools

import keras
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.datasets.io.string_lists import check_strings
from keras_mmfusion.models.captioning.decoding.caption_generator import pad_batch
from keras_mmfusion.models.captioning.decoding.generation_settings import (
    resolve_generation_settings,
)
from keras_mmfusion.models.captioning.decoding.image_batches import preprocess_image
from keras_mmfusion.models.captioning.transformer_captioner import TransformerCaptioner
from keras_mmfusion.models.question_answering.answer_choices import are_choices_by_question
from keras_mmfusion.models.question_answering.answer_generator_export import (
    export_answer_generator,
)
from keras_mmfusion.models.question_answering.question_answering_model import (
    Answer,
    QuestionAnsweringModel,
    select_answers,
)
from keras_mmfusion.models.question_answering.question_pairs import pair_questions

CHUNK = 512  # Number of questions that are read ahead and grouped by length.
CHOICES = 64  # Number of choices that are scored at once.


class AnswerGenerator(QuestionAnsweringModel, TransformerCaptioner):
    """Base of models whose decoder writes the answer to a question about an image.

    ```
    tokens, mask = encode_pair(images, questions)
    logits = text_decoder(text_decoder.embedding(answers), tokens)
    ```

    With a `preprocessor`, `fit`, `evaluate` and `generate` accept raw images and strings. A model
    without one maps token ids to token ids.

    A subclass implements `encode_pair`, lists its `parts`, and sets them after `super().__init__`,
    followed by `self._build_parts()`.

    Args:
        image_encoder: layer or model.
        text_decoder: `TextDecoder` with `cross_attention=True`.
        preprocessor: `QuestionAnsweringPreprocessor` or `None`.
        **kwargs: passed to `keras_hub.models.Task`.

    Call arguments:
        inputs: dict with `"images"`, float `(batch, height, width, 3)`; `"questions"`, int
            `(batch, question_tokens)`; `"answers"`, int `(batch, answer_tokens)`, which begin with
            the start token; and optionally `"question_mask"`, bool `(batch, question_tokens)`.

    Output shape:
        Vocabulary logits `(batch, answer_tokens, vocabulary_size)`.
    """

    def build(self, inputs_shape):
        """Builds every part by a symbolic call, so that all weights exist before loading."""
        shape = inputs_shape["images"] if isinstance(inputs_shape, dict) else inputs_shape
        images = keras.KerasTensor((None, *shape[1:]), dtype="float32")
        ids = keras.KerasTensor((None, 2), dtype="int32")
        self.decode(self.encode(images, ids), ids)
        self.built = True

    def call(self, inputs, training=None):
        tokens, mask = self.encode_pair(
            inputs["images"], inputs["questions"], inputs.get("question_mask"), training
        )
        x = self.text_decoder.embedding(ops.cast(inputs["answers"], "int32"))
        return self.text_decoder(x, tokens, encoder_mask=mask, training=training)

    def encode(self, images, questions, question_mask=None, training=None):
        """Encodes images and questions into tokens `(batch, tokens, dim)`; see `encode_pair`."""
        return self.encode_pair(images, questions, question_mask, training)[0]

    def encode_pair(self, images, questions, question_mask=None, training=None):
        """Encodes images and questions into the tokens that the decoder attends to.

        Args:
            images: float tensor `(batch, height, width, 3)`.
            questions: int tensor `(batch, question_tokens)`.
            question_mask: bool tensor `(batch, question_tokens)` or `None`.
            training: bool. Whether dropout is active.

        Returns:
            A tuple of tokens `(batch, tokens, dim)` and their mask, bool `(batch, tokens)`, or
            `None` if no token is masked.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `encode_pair`.")

    def answer(self, images, questions, top_k=1, details=False, choices=None, batch_size=32):
        """Answers questions by beam search with the defaults of `generate`, or more beams.

        The probability of an answer is that of its tokens; the order is that of the search's
        scores.

        Args:
            images, questions, top_k, details, batch_size: see `QuestionAnsweringModel.answer`.
            choices: list of strings, or a list of such lists, one for each question: the answers to
                choose from, by their probability, instead of a search.

        Returns:
            See `QuestionAnsweringModel.answer`.

        Raises:
            ValueError: if an argument is invalid or there is no preprocessor.
        """
        top_k = check_integer(None, "top_k", top_k)
        if choices is not None:
            answers, one_question = self._rank_choices(images, questions, choices, batch_size)
            answers = [select_answers(each, top_k, details) for each in answers]
            return answers[0] if one_question else answers
        settings = resolve_generation_settings(self.preprocessor, beams=max(4, top_k))
        answers, one_question = self._search_answers(images, questions, settings, batch_size)
        answers = [select_answers(each, top_k, details) for each in answers]
        return answers[0] if one_question else answers

    def generate(
        self,
        images,
        questions,
        beams=4,
        length_penalty=0.7,
        min_length=1,
        max_length=None,
        batch_size=32,
    ):
        """Writes the answers to questions about images by beam search.

        Questions of the same length are answered together, so that the answer to a question does
        not depend on the others.

        Args:
            images, questions: see `QuestionAnsweringModel.answer`.
            beams: int. Beam width; 1 is greedy search.
            length_penalty: float, see `DecodingSettings`.
            min_length: int. Minimum number of tokens of an answer.
            max_length: int. Maximum number of tokens of an answer, including the end token.
                Defaults to the preprocessor's sequence length.
            batch_size: int. Maximum number of questions answered together.

        Returns:
            The answer as a string for one question, a list of answers for several.

        Raises:
            ValueError: if an argument is invalid or there is no preprocessor.
        """
        settings = resolve_generation_settings(
            self.preprocessor,
            beams=beams,
            length_penalty=length_penalty,
            min_length=min_length,
            max_length=max_length,
        )
        answers, one_question = self._search_answers(images, questions, settings, batch_size)
        answers = [select_answers(each) for each in answers]
        return answers[0] if one_question else answers

    def _search_answers(self, images, questions, settings, batch_size):
        """Returns a list of `Answer`s for each question, best first, and whether it is only one."""

        def search(tokens, count, rows):
            return self._search_batch(tokens, count, settings)

        return self._answer_all(images, questions, search, batch_size)

    def _rank_choices(self, images, questions, choices, batch_size):
        """Returns the choices as `_search_answers` returns answers."""
        if self.preprocessor is None:
            raise ValueError("`answer` needs a model with a `preprocessor`.")
        each = list(map(list, choices)) if are_choices_by_question(choices) else None
        for some in each or [choices]:
            check_strings("choices", some)
            if not len(some):
                raise ValueError("`choices` must contain at least one answer. Received: []")
        texts = list(dict.fromkeys(itertools.chain(*each) if each else choices))
        scored = 0

        def rank(tokens, count, rows):
            nonlocal scored
            scored += count
            if each and max(rows) >= len(each):
                return [[Answer("", 0.0)]] * count  # An error follows.
            probabilities = self._compute_probabilities(tokens, texts)[:count]
            return [
                _sort_answers(texts, values, each[row] if each else texts)
                for row, values in zip(rows, probabilities, strict=True)
            ]

        answers, one_question = self._answer_all(images, questions, rank, batch_size)
        if each and len(each) != scored:
            raise ValueError(
                f"`choices` must contain one list for each of {scored} questions. Received: "
                f"{len(each)} lists"
            )
        return answers, one_question

    def _compute_probabilities(self, tokens, texts):
        """Computes the probabilities of texts as answers, an array `(batch, texts)`."""
        inputs, targets, weights = self.preprocessor.pack_captions(texts)
        log_probs = self._generator.compile("log_probs", self._compute_log_probs)
        results = []
        for start in range(0, len(texts), CHOICES):
            packed = [pad_batch(x[start : start + CHOICES]) for x in (inputs, targets, weights)]
            sums = ops.convert_to_numpy(log_probs(tokens, *packed))
            results.append(sums[:, : min(CHOICES, len(texts) - start)])
        return np.exp(np.concatenate(results, axis=1))

    def _compute_log_probs(self, tokens, inputs, targets, weights):
        batch = ops.shape(tokens)[0]
        inputs, targets, weights = (
            ops.broadcast_to(x, (batch, *ops.shape(x))) for x in (inputs, targets, weights)
        )
        logits = self.decode(tokens, inputs, training=False)
        log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        log_probs = ops.take_along_axis(log_probs, ops.expand_dims(targets, -1), axis=-1)
        return ops.sum(ops.squeeze(log_probs, -1) * weights, axis=-1)

    def _answer_all(self, images, questions, answer_batch, batch_size):
        """Calls `answer_batch` on batches of encoded questions of the same length.

        Args:
            images, questions, batch_size: see `answer`.
            answer_batch: function of the tokens of a padded batch, the number of its questions, and
                their indices. Returns a list of `Answer`s for each.

        Returns:
            The lists in the order of the questions, and whether there is only one question.
        """
        batch_size = check_integer(None, "batch_size", batch_size)
        pairs, one_question = pair_questions(images, questions, drops_alpha(self.preprocessor))
        answers = []
        while chunk := list(itertools.islice(pairs, CHUNK)):
            first = len(answers)
            answers += self._answer_chunk(
                *zip(*chunk, strict=True), answer_batch, batch_size, first
            )
        return answers, one_question

    def _answer_chunk(self, images, questions, answer_batch, batch_size, first):
        self.preprocessor.warn_of_questions(list(questions))
        ids = self.preprocessor.tokenize_questions(list(questions))
        answers = [None] * len(ids)
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        for _, rows in itertools.groupby(order, key=lambda row: len(ids[row])):
            while batch := list(itertools.islice(rows, batch_size)):
                pixels = [preprocess_image(images[row], self.preprocessor) for row in batch]
                tokens = np.array([ids[row] for row in batch], "int32")
                encode = self._generator.compile("encode_questions", self.encode)
                encoded = encode(pad_batch(np.concatenate(pixels)), pad_batch(tokens))
                results = answer_batch(encoded, len(batch), [first + row for row in batch])
                for row, each in zip(batch, results, strict=True):
                    answers[row] = each
        return answers

    def _search_batch(self, tokens, count, settings):
        special = self.preprocessor.get_special_tokens()
        ids, scores = self.generate_tokens(tokens, settings, special)
        ids, scores = ids[:count], scores[:count]
        lengths = np.maximum(ops.convert_to_numpy(special.mask_tokens(ids)).sum(axis=-1), 1)
        probabilities = np.exp(scores * lengths**settings.length_penalty)
        return [
            list(map(Answer, self.preprocessor.generate_postprocess(row), values.tolist()))
            for row, values in zip(ids, probabilities, strict=True)
        ]

    def export(
        self, folder, beams=4, length_penalty=0.7, min_length=1, max_length=None, manifest=None
    ):
        """Writes a SavedModel for TensorFlow Serving that answers questions about image files.

        The graph decodes image files, tokenizes questions, searches and detokenizes, and contains
        only TensorFlow operations. `serving_default` takes `image_bytes` and `questions`, strings
        `(batch,)`, and returns `answers`, strings `(batch,)`; `scores`, float32 `(batch,)`;
        `token_ids`, int32 `(batch, max_length)`; and `error_codes`, as of `Captioner.export`.

        Args:
            folder: string or path. Versions are written to its subfolders `1`, `2`, ..., with a
                `manifest.json` in each. Nothing is overwritten.
            beams, length_penalty, min_length, max_length: see `generate`.
            manifest: dict or `None`. Additional entries of the manifest.

        Returns:
            The path of the new version.

        Raises:
            ValueError: if the Keras backend is not TensorFlow, there is no preprocessor, or an
                argument is invalid.
        """
        settings = resolve_generation_settings(
            self.preprocessor,
            caller="export",
            beams=beams,
            length_penalty=length_penalty,
            min_length=min_length,
            max_length=max_length,
        )
        return export_answer_generator(self, folder, settings, manifest)


def _sort_answers(texts, probabilities, choices):
    """Returns the choices as `Answer`s, the most probable first."""
    values = dict(zip(texts, probabilities.tolist(), strict=True))
    return sorted((Answer(each, values[each]) for each in choices), key=lambda x: -x.probability)
