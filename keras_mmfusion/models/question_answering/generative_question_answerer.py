import keras
from keras import ops

from keras_mmfusion.layers.fusion_block import FusionBlock
from keras_mmfusion.models.question_answering.answer_generator import AnswerGenerator
from keras_mmfusion.models.question_answering.input_encoding import (
    encode_images,
    encode_questions,
)
from keras_mmfusion.models.question_answering.question_answerer import MODALITIES


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GenerativeQuestionAnswerer(AnswerGenerator):
    """Answers questions about images with a decoder that writes the answer word by word.

    ```
    tokens = fusion(image_encoder(images), text_encoder(questions))
    logits = text_decoder(text_decoder.embedding(answers), tokens)
    ```

    The decoder attends to the tokens of image and question together, in each of its blocks. With
    two or more blocks, it can first attend to the question, then to the part of the image that the
    question is about. As a prompt of the decoder instead, a question would need a decoder that is
    large enough to understand questions, and no pretrained text encoder could be used.

    `answer` and `generate` use the beam search of the captioners.

    Args:
        image_encoder: layer or model, see `QuestionAnswerer`.
        text_encoder: layer or model, see `QuestionAnswerer`.
        text_decoder: `TextDecoder` with `cross_attention=True`.
        fusion: `FusionBlock` with the modalities `"image"` and `"text"`, `output="tokens"`, and a
            rule for tokens. Defaults to `"union"`, all tokens of both, of the decoder's `dim`.
        preprocessor: `QuestionAnsweringPreprocessor` or `None`. Its tokenizer is that of the
            questions and of the answers.
        **kwargs: passed to `keras_hub.models.Task`.

    Call arguments and output shape: see `AnswerGenerator`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_mmfusion import TextDecoder
    >>> from keras_mmfusion.models import GenerativeQuestionAnswerer
    >>> model = GenerativeQuestionAnswerer(
    ...     keras.layers.Conv2D(8, 16, 16),
    ...     keras.layers.Embedding(50, 8),
    ...     TextDecoder(50, dim=8, num_layers=2, num_heads=2, cross_attention=True),
    ... )
    >>> ids = np.array([[1, 4, 5, 2]])
    >>> images = np.zeros((1, 32, 32, 3), "float32")
    >>> tuple(model({"images": images, "questions": ids, "answers": ids[:, :2]}).shape)
    (1, 2, 50)

    Reference:
        Cho et al., "Unifying Vision-and-Language Tasks via Text Generation", 2021.
    """

    parts = ("image_encoder", "text_encoder", "text_decoder", "fusion", "preprocessor")

    def __init__(
        self, image_encoder, text_encoder, text_decoder, fusion=None, preprocessor=None, **kwargs
    ):
        super().__init__(image_encoder, text_decoder, preprocessor, **kwargs)
        if fusion is None:
            fusion = FusionBlock(
                MODALITIES,
                combine="union",
                dim=text_decoder.dim,
                num_heads=text_decoder.num_heads,
                output="tokens",
                dtype=text_decoder.dtype_policy,
                name="fusion",
            )
        if not isinstance(fusion, FusionBlock) or set(fusion.modalities) != set(MODALITIES):
            raise ValueError(
                "`fusion` must be a `FusionBlock` with the modalities 'image' and 'text'. "
                f"Received: {fusion!r}"
            )
        if fusion.output_kind != "tokens":
            raise ValueError('`fusion` must have `output="tokens"`, to which the decoder attends.')
        self.text_encoder = text_encoder
        self.fusion = fusion
        self._build_parts()

    def encode_pair(self, images, questions, question_mask=None, training=None):
        ids = ops.cast(questions, "int32")
        mask = ops.ones_like(ids, dtype="bool")
        if question_mask is not None:
            mask = ops.cast(question_mask, "bool")
        tokens = {
            "image": encode_images(self.image_encoder, images, training),
            "text": encode_questions(self.text_encoder, ids, mask, training),
        }
        masks = {"text": mask} if len(tokens["text"].shape) == 3 else {}
        return self.fusion(tokens, mask=masks, return_mask=True, training=training)
