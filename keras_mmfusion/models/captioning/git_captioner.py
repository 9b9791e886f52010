import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.datasets.io.check_texts import check_texts
from keras_mmfusion.models.captioning.captioner import Captioner
from keras_mmfusion.models.captioning.decoding.generation_settings import (
    resolve_generation_settings,
)
from keras_mmfusion.models.captioning.decoding.step_functions import build_cached_step
from keras_mmfusion.models.captioning.git_text_decoder import GitTextDecoder
from keras_mmfusion.models.question_answering.question_answering_model import (
    QuestionAnsweringModel,
    select_answers,
)


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GitCaptioner(QuestionAnsweringModel, Captioner):
    """GIT: captions of images and videos by a Transformer over image tokens and text.

    ```
    image_tokens = image_encoder(images)
    logits = text_decoder(text_decoder.embedding(captions), image_tokens)
    ```

    The tokens of a video are those of its frames, with a `FrameEmbedding`, one frame after the
    other. `generate` and `answer` accept video files, animations and folders of frames, of which
    they read the number of frames of the `FrameEmbedding`; an array `(batch, frames, height, width,
    3)`; and lists of these or of videos that are lists of frames or arrays. `fit` and `evaluate`
    accept such an array. Models for visual question answering are asked with `answer`.

    Args:
        image_encoder: layer or model that maps images to tokens, such as `VisionTransformer`.
        text_decoder: `GitTextDecoder`.
        preprocessor: `CaptioningPreprocessor` or `None`.
        frame_embedding: `FrameEmbedding`, or `None` for a model of images only.

    Call arguments and output shape: see `Captioner`. `images` may also be videos, a float tensor
    `(batch, frames, height, width, 3)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.encoders import VisionTransformer
    >>> from keras_mmfusion.layers import FrameEmbedding
    >>> from keras_mmfusion.models import GitCaptioner, GitTextDecoder
    >>> encoder = VisionTransformer(
    ...     image_size=32, patch_size=16, dim=8, num_layers=1, num_heads=2, mlp_dim=16)
    >>> decoder = GitTextDecoder(50, dim=8, num_layers=1, num_heads=2, sequence_length=12)
    >>> model = GitCaptioner(encoder, decoder, frame_embedding=FrameEmbedding(6))
    >>> captions = np.array([[1, 4], [1, 5]])
    >>> tuple(model(np.zeros((2, 32, 32, 3), "float32"), captions).shape)
    (2, 2, 50)
    >>> tuple(model(np.zeros((2, 6, 32, 32, 3), "float32"), captions).shape)
    (2, 2, 50)

    Reference:
        Wang et al., "GIT: A Generative Image-to-text Transformer for Vision and Language", 2022.
    """

    parts = ("image_encoder", "text_decoder", "preprocessor", "frame_embedding")

    def __init__(
        self, image_encoder, text_decoder, preprocessor=None, frame_embedding=None, **kwargs
    ):
        if not isinstance(text_decoder, GitTextDecoder):
            raise ValueError(
                f"`text_decoder` must be a `GitTextDecoder`. Received: {text_decoder!r}"
            )
        super().__init__(image_encoder, text_decoder, preprocessor, **kwargs)
        self.frame_embedding = frame_embedding
        self._build_parts()

    encodes_only_videos = False

    @property
    def num_frames(self):
        return None if self.frame_embedding is None else self.frame_embedding.num_frames

    def build(self, images_shape, captions_shape=None):
        super().build(images_shape, captions_shape)
        embedding, decoder = self.frame_embedding, self.text_decoder
        if embedding is not None and decoder.built and not embedding.built:
            embedding.build((None, None, None, decoder.projection.kernel.shape[0]))

    def encode(self, images, training=None):
        """Encodes images, or videos `(batch, frames, height, width, 3)`, into tokens."""
        if len(images.shape) != 5:
            return super().encode(images, training=training)
        if self.frame_embedding is None:
            raise ValueError(
                "Videos require a `frame_embedding`; this is a model of images. "
                f"Received images of shape {tuple(images.shape)}"
            )
        frames = images.shape[1]
        tokens = super().encode(ops.reshape(images, (-1, *images.shape[2:])), training=training)
        count, dim = tokens.shape[1:]
        tokens = self.frame_embedding(ops.reshape(tokens, (-1, frames, count, dim)))
        return ops.reshape(tokens, (-1, frames * count, dim))

    def answer(self, images, questions, top_k=1, details=False, batch_size=32):
        """Answers questions about images or videos by beam search.

        The question is the prompt of a caption that continues with the answer. This requires a
        model that was trained for it, such as `microsoft/git-base-vqav2` or `-textvqa`.

        Args:
            images, questions, top_k, details, batch_size: see `QuestionAnsweringModel.answer`;
                `images` may also be videos, as for `generate`.

        Returns:
            See `QuestionAnsweringModel.answer`. The probability of an answer is that of its tokens;
            the order is that of the search's scores.

        Raises:
            ValueError: if an argument is invalid or there is no preprocessor.
        """
        top_k = check_integer(None, "top_k", top_k)
        settings = resolve_generation_settings(self.preprocessor, beams=max(4, top_k))
        check_texts(questions, "questions")
        one_question = isinstance(questions, str)
        prompts = self.preprocessor.tokenize_prompts([questions] if one_question else questions)
        answers = self._generator.generate(
            images, settings, prompts, top_k, batch_size=batch_size, as_answers=True
        )
        answers = [select_answers(each, top_k, details) for each in answers]
        return answers[0] if one_question else answers

    def _attend_and_decode(self, x, image_tokens, count, return_attention_scores, training):
        length, dim = ops.shape(x)[1:]
        outputs = self.text_decoder(
            ops.reshape(x, (-1, count, length, dim)),
            image_tokens,
            return_attention_scores=return_attention_scores,
            training=training,
        )
        if not return_attention_scores:
            return outputs, None
        logits, scores = outputs
        return logits, ops.mean(scores, axis=(0, 2))

    def _build_step(self, image_tokens, length, hypotheses):
        return build_cached_step(self.text_decoder, image_tokens, length, hypotheses)
