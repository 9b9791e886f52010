import keras
from keras import ops

from keras_mmfusion._checks import check_fraction, check_integer
from keras_mmfusion.encoders.image_encoder import ImageEncoder
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.layers.fusion_block import FusionBlock
from keras_mmfusion.layers.masks import average_tokens
from keras_mmfusion.models.question_answering.answer_classifier import AnswerClassifier
from keras_mmfusion.models.question_answering.image_question_preprocessor import (
    ImageQuestionPreprocessor,
)
from keras_mmfusion.models.question_answering.input_encoding import (
    encode_images,
    encode_questions,
)
from keras_mmfusion.models.question_answering.question_answerer_export import (
    export_answer_classifier,
)

MODALITIES = ("image", "text")


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class QuestionAnswerer(AnswerClassifier):
    """Answers questions about images by fusing both: the standard model of VQA.

    ```
    h = fusion(image_encoder(images), text_encoder(questions))
    logits = Dense(Dropout(GELU(LayerNorm(Dense(h)))))
    ```

    Any rule of `FusionBlock` fuses the tokens of image and question. With a fusion of decisions
    (`num_outputs`), the decisions are the logits.

    Training data and probabilities: see `AnswerClassifier`.

    Args:
        image_encoder: layer or model that maps images to tokens, a feature map or a vector:
            `ImageEncoder`, `VisionTransformer`, a backbone of KerasHub, or one of your own. To save
            presets, it must be a `keras.Model`.
        text_encoder: layer or model that maps token ids to tokens or a vector: `TextEncoder` (such
            as MiniLM), `TextTransformer`, a BERT of KerasHub, `TokenEncoder` (word embeddings and
            Transformer blocks), or `keras.layers.Embedding`.
        answers: list of strings, such as `data.list_frequent_answers(1000)`.
        fusion: `FusionBlock` with the modalities `"image"` and `"text"`. Defaults to
            `FusionBlock(("image", "text"), combine="mfb", dim=256)`.
        preprocessor: `ImageQuestionPreprocessor` or `None`.
        activation: `"sigmoid"`, for questions with several human answers, or `"softmax"`.
        hidden_dim: int. Hidden units of the classifier. Defaults to twice the fusion's `dim`.
        dropout: float in [0, 1). Dropout rate of the hidden units.
        image_dropout: float in [0, 1). Dropout rate of the features of the image tokens. A high
            rate suits a frozen image encoder and few questions.
        **kwargs: passed to `keras_hub.models.Task`.

    Call arguments:
        inputs: dict of `"images"`, float `(batch, height, width, 3)`, or `"image_tokens"` from
            `encode_images`; `"questions"`, int `(batch, question_tokens)`; and optionally
            `"question_mask"`, bool of that shape, and `"image_mask"`, bool `(batch,)` or
            `(batch, image_tokens)`, `False` for what the model must not use.

    Output shape:
        Logits `(batch, answers)`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_mmfusion import FusionBlock
    >>> from keras_mmfusion.models import QuestionAnswerer
    >>> model = QuestionAnswerer(
    ...     keras.layers.Conv2D(8, 16, 16),
    ...     keras.layers.Embedding(50, 8),
    ...     answers=["yes", "no", "2"],
    ...     fusion=FusionBlock(("image", "text"), combine="concat", dim=16),
    ... )
    >>> inputs = {"images": np.zeros((1, 32, 32, 3)), "questions": np.array([[2, 7, 3]])}
    >>> tuple(model(inputs).shape)
    (1, 3)

    Reference:
        Antol et al., "VQA: Visual Question Answering", 2015; targets and loss: Teney et al., "Tips
        and Tricks for Visual Question Answering: Learnings from the 2017 Challenge", 2018.
    """

    backbone_cls = ImageEncoder
    preprocessor_cls = ImageQuestionPreprocessor

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
        image_dropout=0.0,
        **kwargs,
    ):
        super().__init__(answers, preprocessor, activation, **kwargs)
        if fusion is None:
            fusion = FusionBlock(MODALITIES, combine="mfb", dim=256, name="fusion")
        _check_fusion(fusion, len(self.answers))
        self.image_encoder = image_encoder
        self.text_encoder = text_encoder
        self.fusion = fusion
        self.dtype_policy = policy = fusion.dtype_policy  # Used by `compile` for loss scaling.
        hidden_dim = 2 * fusion.dim if hidden_dim is None else hidden_dim
        self.hidden_dim = check_integer(self, "hidden_dim", hidden_dim)
        self.dropout = check_fraction(self, "dropout", dropout)
        self.image_dropout = check_fraction(self, "image_dropout", image_dropout)
        self.image_dropout_layer = Dropout(image_dropout, dtype=policy, name="image_dropout")
        self.head = []
        if fusion.num_outputs is None:
            self.head = [
                Dense(self.hidden_dim, dtype=policy, name="head_dense"),
                keras.layers.LayerNormalization(epsilon=1e-5, dtype=policy, name="head_norm"),
                keras.layers.Activation("gelu", dtype=policy, name="head_activation"),
                Dropout(self.dropout, dtype=policy, name="head_dropout"),
                Dense(len(self.answers), dtype=policy, name="head_output"),
            ]
        self.compile()
        if (shape := self._infer_image_shape()) is not None:
            self.build({"images": shape})

    @property
    def backbone(self):
        return getattr(self, "image_encoder", None)

    def _infer_image_shape(self):
        """Returns the batch shape of images if the encoder or the preprocessor specifies it."""
        shape = getattr(self.image_encoder, "input_shape", None)
        if isinstance(shape, dict) and len(shape) == 1:
            [shape] = shape.values()
        if isinstance(shape, tuple) and len(shape) == 4 and None not in shape[1:]:
            return shape
        size = getattr(self.preprocessor, "image_size", None)
        return None if size is None else (None, *size, 3)

    def build(self, inputs_shape):
        """Builds every part by a symbolic call, so that all weights exist before loading."""
        names = [name for name in ("images", "image_tokens") if name in inputs_shape]
        inputs = {
            name: keras.KerasTensor((None, *inputs_shape[name][1:]), dtype="float32")
            for name in names
        }
        self._compute({**inputs, "questions": keras.KerasTensor((None, 4), dtype="int32")})
        self.built = True

    def call(self, inputs, training=None):
        return self._compute(inputs, training)

    def _compute(self, inputs, training=None):
        ids = ops.cast(inputs["questions"], "int32")
        mask = inputs.get("question_mask")
        mask = ops.ones_like(ids, dtype="bool") if mask is None else ops.cast(mask, "bool")
        image_tokens = inputs.get("image_tokens")
        if image_tokens is None:
            image_tokens = self.encode_images(inputs["images"], training=training)
        image_tokens = self.image_dropout_layer(image_tokens, training=training)
        text_tokens = encode_questions(self.text_encoder, ids, mask, training)
        masks = {"image": inputs.get("image_mask"), "text": mask}
        if len(text_tokens.shape) == 2:  # A vector for each question.
            masks["text"] = None
        return self.fuse({"image": image_tokens, "text": text_tokens}, masks, training)

    def encode_images(self, images, training=None):
        """Encodes preprocessed images into tokens `(batch, tokens, dim)` or `(batch, dim)`."""
        return encode_images(self.image_encoder, images, training)

    def fuse(self, tokens, masks, training=None):
        """Computes logits of encoded inputs.

        Args:
            tokens: dict of the tokens of `"image"` and `"text"`.
            masks: dict of their masks, see `FusionBlock`.
            training: bool.

        Returns:
            Logits `(batch, answers)`.
        """
        masks = {name: mask for name, mask in masks.items() if mask is not None}
        if self.fusion.output_kind == "tokens":
            x = average_tokens(
                *self.fusion(tokens, mask=masks, return_mask=True, training=training)
            )
        else:
            x = self.fusion(tokens, mask=masks, training=training)
        for layer in self.head:
            options = {"training": training} if isinstance(layer, keras.layers.Dropout) else {}
            x = layer(x, **options)
        return x

    def _export_graph(self, folder, top_k, manifest):
        return export_answer_classifier(self, folder, top_k, manifest)

    def get_config(self):
        parts = ("image_encoder", "text_encoder", "fusion", "preprocessor")
        return {
            **{name: keras.saving.serialize_keras_object(getattr(self, name)) for name in parts},
            "answers": list(self.answers),
            "activation": self.activation,
            "hidden_dim": self.hidden_dim,
            "dropout": self.dropout,
            "image_dropout": self.image_dropout,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        config = {
            name: keras.saving.deserialize_keras_object(value) if isinstance(value, dict) else value
            for name, value in config.items()
        }
        return cls(**config)


def _check_fusion(fusion, count):
    if not isinstance(fusion, FusionBlock) or set(fusion.modalities) != set(MODALITIES):
        raise ValueError(
            "`fusion` must be a `FusionBlock` with the modalities 'image' and 'text'. Received: "
            f"{fusion!r}, modalities={getattr(fusion, 'modalities', None)}"
        )
    if fusion.num_outputs not in (None, count):
        raise ValueError(
            f"`fusion` must have `num_outputs={count}`, the number of answers, or None. Received: "
            f"num_outputs={fusion.num_outputs}"
        )
