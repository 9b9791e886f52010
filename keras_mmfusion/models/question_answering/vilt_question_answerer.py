import keras
from keras import ops

from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.models.question_answering.answer_classifier import AnswerClassifier
from keras_mmfusion.models.question_answering.vilt_backbone import ViltBackbone
from keras_mmfusion.models.question_answering.vilt_export import export_vilt
from keras_mmfusion.models.question_answering.vilt_preprocessor import ViltPreprocessor


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ViltQuestionAnswerer(AnswerClassifier):
    """ViLT for visual question answering: selects the answer from a list.

    ```
    logits = Dense(GELU(LayerNorm(Dense(backbone(images, questions)))))
    probability of an answer = sigmoid(logit)
    ```

    Unlike its source, which samples some of the padding of each image at random, the model masks
    all padding, which has the same logits and is deterministic.

    With a `preprocessor`, `fit`, `evaluate`, `predict` and `answer` accept raw images and strings;
    see `AnswerClassifier`.

    Args:
        backbone: `ViltBackbone`.
        answers: list of strings.
        preprocessor: `ViltPreprocessor` or `None`.

    Call arguments:
        inputs: dict of `"images"`, float `(batch, height, width, 3)`; `"questions"`, int
            `(batch, question_tokens)`; and optionally `"image_sizes"` and `"question_mask"`, see
            `ViltEmbedding`.

    Output shape:
        Logits `(batch, answers)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.models import ViltBackbone, ViltQuestionAnswerer
    >>> backbone = ViltBackbone(50, 8, 32, 16, dim=8, num_layers=1, num_heads=2, mlp_dim=16)
    >>> model = ViltQuestionAnswerer(backbone, answers=["yes", "no", "2"])
    >>> images, ids = np.zeros((1, 32, 48, 3), "float32"), np.array([[2, 7, 3]])
    >>> tuple(model({"images": images, "questions": ids}).shape)
    (1, 3)

    Reference:
        Kim et al., "ViLT: Vision-and-Language Transformer Without Convolution or Region
        Supervision", 2021, section 4.3.
    """

    backbone_cls = ViltBackbone
    preprocessor_cls = ViltPreprocessor

    def __init__(self, backbone, answers, preprocessor=None, **kwargs):
        super().__init__(answers, preprocessor, "sigmoid", **kwargs)
        self.backbone = backbone
        self.dtype_policy = policy = backbone.dtype_policy
        dim = backbone.token_dim
        self.head_dense = Dense(2 * dim, dtype=policy, name="head_dense")
        self.head_norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=policy, name="head_norm"
        )
        self.head_output = Dense(len(self.answers), dtype=policy, name="head_output")
        self.head_dense.build((None, dim))
        self.head_norm.build((None, 2 * dim))
        self.head_output.build((None, 2 * dim))
        self.built = True
        self.compile()

    def call(self, inputs, training=None):
        inputs = dict(inputs)
        images = inputs["images"]
        batch, height, width, _ = ops.shape(images)
        if "image_sizes" not in inputs:
            size = ops.stack([ops.cast(height, "int32"), ops.cast(width, "int32")])
            inputs["image_sizes"] = ops.broadcast_to(size, (batch, 2))
        if "question_mask" not in inputs:
            inputs["question_mask"] = ops.ones_like(inputs["questions"], dtype="bool")
        names = ("images", "image_sizes", "questions", "question_mask")
        x = self.backbone({name: inputs[name] for name in names}, training=training)
        x = self.head_norm(self.head_dense(x))
        return self.head_output(ops.gelu(x, approximate=False))

    def _export_graph(self, folder, top_k, manifest):
        return export_vilt(self, folder, top_k, manifest)

    def get_config(self):
        return {**super().get_config(), "answers": list(self.answers)}
