import itertools

import keras
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.models.captioning.decoding.caption_generator import pad_batch
from keras_mmfusion.models.captioning.decoding.generation_settings import (
    resolve_generation_settings,
)
from keras_mmfusion.models.captioning.decoding.image_batches import preprocess_image
from keras_mmfusion.models.captioning.transformer_captioner import TransformerCaptioner
from keras_mmfusion.models.question_answering.blip_export import export_blip
from keras_mmfusion.models.question_answering.question_answering_model import (
    Answer,
    QuestionAnsweringModel,
    select_answers,
)
from keras_mmfusion.models.question_answering.question_pairs import pair_questions

CHUNK = 512  # Number of questions that are read ahead and grouped by length.


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class BlipQuestionAnswerer(QuestionAnsweringModel, TransformerCaptioner):
    """BLIP for visual question answering: a decoder writes the answer to a question.

    ```
    image_tokens = image_encoder(images)                              # VisionTransformer
    question_tokens = text_encoder(questions, image_tokens)           # BertTextEncoder
    logits = text_decoder(text_decoder.embedding(answers), question_tokens)
    ```

    With a `preprocessor`, `fit`, `evaluate` and `generate` accept raw images and strings. A model
    without one maps token ids to token ids: `generate_tokens(model.encode(images, questions),
    settings, special_tokens)` searches for the answers.

    Args:
        image_encoder: `VisionTransformer`.
        text_encoder: `BertTextEncoder`.
        text_decoder: `BertTextDecoder` with `cross_attention=True`.
        preprocessor: `QuestionAnsweringPreprocessor` or `None`.

    Call arguments:
        inputs: dict with `"images"`, float `(batch, height, width, 3)`; `"questions"`, int
            `(batch, question_tokens)`; `"answers"`, int `(batch, answer_tokens)`, which begin with
            the start token; and optionally `"question_mask"`, bool `(batch, question_tokens)`.

    Output shape:
        Vocabulary logits `(batch, answer_tokens, vocabulary_size)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.encoders import VisionTransformer
    >>> from keras_mmfusion.models import (
    ...     BertTextDecoder, BertTextEncoder, BlipQuestionAnswerer)
    >>> settings = {"vocabulary_size": 50, "dim": 8, "num_layers": 1, "num_heads": 2}
    >>> model = BlipQuestionAnswerer(
    ...     VisionTransformer(
    ...         image_size=32, patch_size=16, dim=8, num_layers=1, num_heads=2, mlp_dim=16),
    ...     BertTextEncoder(**settings, image_dim=8),
    ...     BertTextDecoder(**settings, cross_attention=True),
    ... )
    >>> ids = np.array([[1, 4, 5, 2]])
    >>> images = np.zeros((1, 32, 32, 3), "float32")
    >>> tuple(model({"images": images, "questions": ids, "answers": ids[:, :2]}).shape)
    (1, 2, 50)

    Reference:
        Li et al., "BLIP: Bootstrapping Language-Image Pre-training for Unified Vision-Language
        Understanding and Generation", 2022, figure 5a.
    """

    parts = ("image_encoder", "text_encoder", "text_decoder", "preprocessor")

    def __init__(self, image_encoder, text_encoder, text_decoder, preprocessor=None, **kwargs):
        super().__init__(image_encoder, text_decoder, preprocessor, **kwargs)
        self.text_encoder = text_encoder
        self._build_parts()

    def build(self, images_shape, captions_shape=None):
        """Builds every part by a symbolic call, so that all weights exist before loading."""
        if isinstance(images_shape, dict):
            images_shape = images_shape["images"]
        images = keras.KerasTensor((None, *images_shape[1:]), dtype="float32")
        ids = keras.KerasTensor((None, 2), dtype="int32")
        self.decode(self.encode(images, ids), ids)
        self.built = True

    def call(self, inputs, training=None):
        mask = inputs.get("question_mask")
        question_tokens = self.encode(inputs["images"], inputs["questions"], mask, training)
        x = self.text_decoder.embedding(ops.cast(inputs["answers"], "int32"))
        return self.text_decoder(x, question_tokens, encoder_mask=mask, training=training)

    def encode(self, images, questions, question_mask=None, training=None):
        """Encodes questions about images into tokens `(batch, question_tokens, dim)`.

        Args:
            images: float tensor `(batch, height, width, 3)`.
            questions: int tensor `(batch, question_tokens)`.
            question_mask: bool tensor `(batch, question_tokens)` or `None`.
            training: bool. Whether dropout is active.
        """
        image_tokens = super().encode(images, training=training)
        return self.text_encoder(
            questions, image_tokens, padding_mask=question_mask, training=training
        )

    def answer(self, images, questions, top_k=1, details=False, batch_size=32):
        """Answers questions by beam search with the defaults of `generate`, or more beams.

        The probability of an answer is that of its tokens; the order is that of the search's
        scores.

        Args:
            images, questions, top_k, details, batch_size: see `QuestionAnsweringModel.answer`.

        Returns:
            See `QuestionAnsweringModel.answer`.

        Raises:
            ValueError: if an argument is invalid or there is no preprocessor.
        """
        top_k = check_integer(None, "top_k", top_k)
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
        batch_size = check_integer(None, "batch_size", batch_size)
        pairs, one_question = pair_questions(images, questions, drops_alpha(self.preprocessor))
        answers = []
        while chunk := list(itertools.islice(pairs, CHUNK)):
            answers += self._answer_chunk(*zip(*chunk, strict=True), settings, batch_size)
        return answers, one_question

    def _answer_chunk(self, images, questions, settings, batch_size):
        ids = self.preprocessor.tokenize_questions(list(questions))
        answers = [None] * len(ids)
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        for _, rows in itertools.groupby(order, key=lambda row: len(ids[row])):
            while batch := list(itertools.islice(rows, batch_size)):
                pixels = [preprocess_image(images[row], self.preprocessor) for row in batch]
                tokens = np.array([ids[row] for row in batch], "int32")
                results = self._answer_batch(np.concatenate(pixels), tokens, settings)
                for row, each in zip(batch, results, strict=True):
                    answers[row] = each
        return answers

    def _answer_batch(self, images, questions, settings):
        count = len(images)
        encode = self._generator.compile("encode_questions", self.encode)
        question_tokens = encode(pad_batch(images), pad_batch(questions))
        special = self.preprocessor.get_special_tokens()
        ids, scores = self.generate_tokens(question_tokens, settings, special)
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
        return export_blip(self, folder, settings, manifest)
