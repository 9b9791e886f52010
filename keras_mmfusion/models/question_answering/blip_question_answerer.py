import keras

from keras_mmfusion.layers.flatten_feature_map import flatten_feature_map
from keras_mmfusion.models.question_answering.answer_generator import AnswerGenerator


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class BlipQuestionAnswerer(AnswerGenerator):
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

    def encode_pair(self, images, questions, question_mask=None, training=None):
        image_tokens = flatten_feature_map(self.image_encoder(images, training=training))
        question_tokens = self.text_encoder(
            questions, image_tokens, padding_mask=question_mask, training=training
        )
        return question_tokens, question_mask
