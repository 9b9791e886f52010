import itertools

import keras
import keras_hub
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.datasets.io.string_lists import check_strings
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.metrics.visual_question_answering import normalize_answer
from keras_mmfusion.models.captioning.decoding.caption_generator import pad_batch
from keras_mmfusion.models.compiled_function import compile_function
from keras_mmfusion.models.question_answering.answer_scores import answer_accuracy, answer_loss
from keras_mmfusion.models.question_answering.question_answering_model import (
    Answer,
    QuestionAnsweringModel,
    select_answers,
)
from keras_mmfusion.models.question_answering.question_pairs import pair_questions
from keras_mmfusion.models.question_answering.vilt_backbone import ViltBackbone
from keras_mmfusion.models.question_answering.vilt_export import export_vilt
from keras_mmfusion.models.question_answering.vilt_preprocessor import ViltPreprocessor
from keras_mmfusion.models.task_model import TaskModel

CHUNK = 128  # Number of questions that are read ahead and grouped by image size.
LENGTH_STEP = 8  # Questions are padded to multiples of it, which limits the number of traces.


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ViltQuestionAnswerer(QuestionAnsweringModel, TaskModel, keras_hub.models.Task):
    """ViLT for visual question answering: selects the answer from a list.

    ```
    logits = Dense(GELU(LayerNorm(Dense(backbone(images, questions)))))
    probability of an answer = sigmoid(logit)
    ```

    Unlike its source, which samples some of the padding of each image at random, the model masks
    all padding, which has the same logits and is deterministic.

    With a `preprocessor`, `fit`, `evaluate`, `predict` and `answer` accept raw images and strings:
    `model.fit({"images": images, "questions": questions}, scores)`. The targets are scores of the
    answers from 0 to 1, `(batch, answers)`, such as those of
    `question_dataset(data, classes=model.answers)`.

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
        super().__init__(compile=False, **kwargs)
        check_strings("answers", answers)
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.answers = list(answers)
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
        self.reset_compiled_functions()
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

    def answer(self, images, questions, top_k=1, details=False, choices=None, batch_size=32):
        """Answers questions about images.

        Images of the same size after preprocessing are answered together.

        Args:
            images, questions, top_k, details, batch_size: see `QuestionAnsweringModel.answer`.
            choices: list of strings. The answers to choose from, a part of `model.answers`, such
                as `["yes", "no"]`. Defaults to all.

        Returns:
            See `QuestionAnsweringModel.answer`.

        Raises:
            ValueError: if an argument is invalid, or there is no preprocessor.
        """
        if self.preprocessor is None:
            raise ValueError("`answer` needs a model with a `preprocessor`.")
        classes = self._find_classes(choices)
        top_k = check_integer(None, "top_k", top_k, maximum=len(classes))
        batch_size = check_integer(None, "batch_size", batch_size)
        pairs, one_question = pair_questions(images, questions, drops_alpha(self.preprocessor))
        results = []
        while chunk := list(itertools.islice(pairs, CHUNK)):
            for probabilities in self._predict_chunk(chunk, batch_size):
                probabilities = probabilities[classes]
                best = np.argsort(-probabilities, kind="stable")[:top_k]
                answers = [Answer(self.answers[classes[i]], float(probabilities[i])) for i in best]
                results.append(select_answers(answers, top_k, details))
        return results[0] if one_question else results

    def _find_classes(self, choices):
        """Returns the indices of the answers to choose from."""
        if choices is None:
            return np.arange(len(self.answers))
        check_strings("choices", choices)
        index = {
            normalize_answer(answer): i for i, answer in reversed(list(enumerate(self.answers)))
        }
        index |= {answer: i for i, answer in enumerate(self.answers)}
        found = [index.get(choice, index.get(normalize_answer(choice))) for choice in choices]
        unknown = [choice for choice, i in zip(choices, found, strict=True) if i is None]
        if unknown or not found:
            raise ValueError(
                "`choices` must be answers in `model.answers`, at least one. Not among them: "
                f"{unknown!r:.200}"
            )
        return np.array(found)

    def _predict_chunk(self, pairs, batch_size):
        """Computes the probabilities of all answers, an array for each pair."""
        converter = self.preprocessor.image_converter
        images = [ops.convert_to_numpy(converter(image)[0]) for image, _ in pairs]
        ids, mask = self.preprocessor.pack_questions([question for _, question in pairs])
        results = [None] * len(pairs)
        order = sorted(range(len(pairs)), key=lambda row: images[row].shape)
        for _, rows in itertools.groupby(order, key=lambda row: images[row].shape):
            while batch := list(itertools.islice(rows, batch_size)):
                length = -(-mask[batch].sum(axis=1).max() // LENGTH_STEP) * LENGTH_STEP
                pixels = np.stack([images[row] for row in batch])
                probabilities = self._predict_batch(
                    pixels, ids[batch, :length], mask[batch, :length]
                )
                for row, each in zip(batch, probabilities, strict=True):
                    results[row] = each
        return results

    def _predict_batch(self, images, ids, mask):
        function = self._functions.get(self.compute_dtype)
        if function is None:
            function = compile_function(self, self._compute_probabilities)
            self._functions[self.compute_dtype] = function
        padded = [pad_batch(x) for x in (images, ids, mask)]
        return ops.convert_to_numpy(function(*padded))[: len(images)]

    def _compute_probabilities(self, images, ids, mask):
        logits = self({"images": images, "questions": ids, "question_mask": mask}, training=False)
        return ops.sigmoid(ops.cast(logits, "float32"))

    def reset_compiled_functions(self):
        self._functions = {}

    def compile(self, optimizer="auto", loss="auto", *, weighted_metrics="auto", **kwargs):
        """Configures the model for training; see `keras.Model.compile`.

        The defaults are AdamW with a learning rate of 1e-4, the sum of the binary cross-entropies
        of all answers, and the score of the most probable answer.
        """
        if optimizer == "auto":
            optimizer = keras.optimizers.AdamW(1e-4, weight_decay=0.01)
        if loss == "auto":
            loss = answer_loss
        if weighted_metrics == "auto":
            weighted_metrics = [keras.metrics.MeanMetricWrapper(answer_accuracy, name="accuracy")]
        super().compile(optimizer, loss, weighted_metrics=weighted_metrics, **kwargs)
        self.reset_compiled_functions()

    def export(self, folder, top_k=1, manifest=None):
        """Writes a SavedModel for TensorFlow Serving that answers questions about image files.

        The graph decodes image files and tokenizes questions, and contains only TensorFlow
        operations. `serving_default` takes `image_bytes` and `questions`, strings `(batch,)`, and
        returns `answers`, strings `(batch, top_k)`, the most probable first; `probabilities`,
        float32 `(batch, top_k)`; and `error_codes`, as of `Captioner.export`.

        Args:
            folder: string or path. Versions are written to its subfolders `1`, `2`, ..., with a
                `manifest.json` in each. Nothing is overwritten.
            top_k: int. The number of answers to each question.
            manifest: dict or `None`. Additional entries of the manifest.

        Returns:
            The path of the new version.

        Raises:
            ValueError: if the Keras backend is not TensorFlow, there is no preprocessor, or
                `top_k` is invalid.
        """
        if self.preprocessor is None:
            raise ValueError("`export` needs a model with a `preprocessor`.")
        top_k = check_integer(None, "top_k", top_k, maximum=len(self.answers))
        return export_vilt(self, folder, top_k, manifest)

    def _list_features(self, inputs):
        if isinstance(inputs, dict) and "images" in inputs:
            yield "images", None, inputs["images"], None

    def get_config(self):
        return {**super().get_config(), "answers": list(self.answers)}
