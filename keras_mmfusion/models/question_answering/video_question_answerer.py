import keras

from keras_mmfusion.encoders.video_encoder import VideoEncoder
from keras_mmfusion.models.question_answering.question_answerer import QuestionAnswerer


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class VideoQuestionAnswerer(QuestionAnswerer):
    """Answers questions about videos: a `QuestionAnswerer` with a `VideoEncoder`.

    `answer` accepts one video or several: arrays `(frames, height, width, 3)`, lists and folders of
    frames, animations, and video files, of which it reads the encoder's `num_frames`. `fit` accepts
    videos `(batch, frames, height, width, 3)` as `"images"`, such as those of `video_dataset`.

    Args:
        image_encoder: `VideoEncoder`.
        text_encoder, answers, fusion, preprocessor, activation, hidden_dim, dropout, **kwargs: see
            `QuestionAnswerer`.

    Call arguments and output shape:
        See `QuestionAnswerer`; `"images"` are videos.

    Raises:
        ValueError: if `image_encoder` is not a `VideoEncoder`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_mmfusion import FusionBlock
    >>> from keras_mmfusion.encoders import VideoEncoder
    >>> from keras_mmfusion.layers import TemporalTransformer
    >>> from keras_mmfusion.models import VideoQuestionAnswerer
    >>> model = VideoQuestionAnswerer(
    ...     VideoEncoder(keras.layers.Conv2D(8, 16, 16), TemporalTransformer(), num_frames=4),
    ...     keras.layers.Embedding(50, 8),
    ...     answers=["left", "right"],
    ...     fusion=FusionBlock(("image", "text"), combine="concat", dim=16),
    ... )
    >>> inputs = {"images": np.zeros((1, 4, 32, 32, 3)), "questions": np.array([[2, 7, 3]])}
    >>> tuple(model(inputs).shape)
    (1, 2)
    """

    def __init__(
        self,
        image_encoder,
        text_encoder,
        answers,
        fusion=None,
        preprocessor=None,
        activation="sigmoid",
        hidden_dim=None,
        dropout=0.0,
        **kwargs,
    ):
        if not isinstance(image_encoder, VideoEncoder):
            raise ValueError(
                f"`image_encoder` must be a `VideoEncoder`. Received: {image_encoder!r}"
            )
        super().__init__(
            image_encoder,
            text_encoder,
            answers,
            fusion,
            preprocessor,
            activation,
            hidden_dim,
            dropout,
            **kwargs,
        )

    @property
    def num_frames(self):
        return self.image_encoder.num_frames

    def _infer_image_shape(self):
        shape = self.image_encoder.input_shape
        if shape is not None and None not in shape[1:]:
            return shape
        size = getattr(self.preprocessor, "image_size", None)
        return None if size is None else (None, self.num_frames, *size, 3)

    def export(self, folder, top_k=1, manifest=None):
        """Writes a SavedModel for TensorFlow Serving that answers questions about frames of videos.

        As `QuestionAnswerer.export`, but `serving_default` takes `image_bytes`, strings
        `(batch, num_frames)`: the sampled frames of each video as image files. The signature
        `answer_frames` takes the pixels instead, `frames`, uint8 `(batch, num_frames, height,
        width, 3)`, such as those of `read_video`, and has no `error_codes`. TensorFlow Serving does
        not decode video files.

        Args:
            folder, top_k, manifest: see `QuestionAnswerer.export`.

        Returns:
            The path of the new version.

        Raises:
            ValueError: see `QuestionAnswerer.export`.
        """
        return super().export(folder, top_k, manifest)
