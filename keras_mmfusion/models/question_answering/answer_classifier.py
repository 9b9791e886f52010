"""The base of the models that select the answers to questions from a list."""

import itertools

import keras
import keras_hub
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_choice, check_integer
from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.datasets.io.string_lists import check_strings
from keras_mmfusion.models.captioning.decoding.caption_generator import pad_batch
from keras_mmfusion.models.compiled_function import compile_function, resolve_jit_compile
from keras_mmfusion.models.question_answering.answer_choices import AnswerChoices
from keras_mmfusion.models.question_answering.answer_scores import (
    answer_accuracy,
    answer_cross_entropy,
    answer_loss,
)
from keras_mmfusion.models.question_answering.answer_targets import score_targets
from keras_mmfusion.models.question_answering.question_answering_model import (
    Answer,
    QuestionAnsweringModel,
    select_answers,
)
from keras_mmfusion.models.question_answering.question_pairs import pair_questions
from keras_mmfusion.models.task_model import TaskModel

CHUNK = 128  # Number of questions that are read ahead and grouped by image size.
LENGTH_STEP = 8  # Questions are padded to multiples of it, which limits the number of traces.


class AnswerClassifier(QuestionAnsweringModel, TaskModel, keras_hub.models.Task):
    """Base of models whose output are logits of a list of answers.

    With `activation="sigmoid"`, each answer has its own probability, as suits questions with
    several human answers; with `"softmax"`, the probabilities sum to 1.

    With a `preprocessor`, `fit`, `evaluate`, `predict` and `answer` accept raw images and strings:
    `model.fit({"images": images, "questions": questions}, answers)`. `answers` has a string for
    each question, or a list of the answers of several people; an answer that `n` of them gave has
    the target `min(n / 3, 1)`. Or it has the targets, float `(batch, answers)`, such as those of
    `question_dataset(data, classes=model.answers)`. Answers that are not in the list have no
    target: `fit` warns of questions without any, and raises an error if there are no others.

    A subclass sets its parts after `super().__init__`, and implements `call` and `_export_graph`.

    Args:
        answers: list of strings.
        preprocessor: preprocessor of images and questions, with `convert_image` and
            `pack_questions`; or `None`.
        activation: `"sigmoid"` or `"softmax"`.
        **kwargs: passed to `keras_hub.models.Task`.

    Call arguments:
        inputs: dict of `"images"`, `"questions"` and `"question_mask"`.

    Output shape:
        Logits `(batch, answers)`.
    """

    num_frames = None  # The number of frames that are read of a video, in models of videos.

    def __init__(self, answers, preprocessor=None, activation="sigmoid", **kwargs):
        super().__init__(compile=False, **kwargs)
        check_strings("answers", answers)
        self.answers = list(answers)
        if not self.answers:
            raise ValueError("`answers` must have at least one answer. Received: []")
        self.activation = check_choice(None, "activation", activation, ("sigmoid", "softmax"))
        self.preprocessor = preprocessor
        self.reset_compiled_functions()

    def answer(self, images, questions, top_k=1, details=False, choices=None, batch_size=32):
        """Answers questions about images.

        Images of the same size after preprocessing are answered together.

        Args:
            images, questions, top_k, details, batch_size: see `QuestionAnsweringModel.answer`.
            choices: list of strings. The answers to choose from, a part of `model.answers`, such
                as `["yes", "no"]`; or a list of such lists, one for each question. Defaults to all
                answers. With `activation="softmax"`, the probabilities of the choices sum to 1.

        Returns:
            See `QuestionAnsweringModel.answer`.

        Raises:
            ValueError: if an argument is invalid, or there is no preprocessor.
        """
        if self.preprocessor is None:
            raise ValueError("`answer` needs a model with a `preprocessor`.")
        choices = AnswerChoices(self.answers, choices)
        top_k = check_integer(None, "top_k", top_k, maximum=choices.min_count)
        batch_size = check_integer(None, "batch_size", batch_size)
        drop_alpha = drops_alpha(self.preprocessor)
        pairs, one_question = pair_questions(images, questions, drop_alpha, self.num_frames)
        pairs = self._convert_images(pairs)
        chunk_size = CHUNK if self.num_frames is None else batch_size  # Videos have the same size.
        results = []
        while chunk := list(itertools.islice(pairs, chunk_size)):
            for logits in self._predict_chunk(chunk, batch_size):
                classes = choices.get_classes(len(results))
                probabilities = self._activate(logits[classes])
                best = np.argsort(-probabilities, kind="stable")[:top_k]
                answers = [Answer(self.answers[classes[i]], float(probabilities[i])) for i in best]
                results.append(select_answers(answers, top_k, details))
        choices.check_count(len(results))
        return results[0] if one_question else results

    def _convert_images(self, pairs):
        """Yields pairs with converted images, which usually need less memory.

        Consecutive questions about the same image share its conversion.
        """
        previous = converted = None
        for image, question in pairs:
            # Videos are lists of frames, each read for one question.
            if isinstance(image, list) or not np.array_equal(image, previous):
                previous, converted = image, self.preprocessor.convert_image(image)
            yield converted, question

    def _activate(self, logits):
        """Converts logits of answers to probabilities, NumPy arrays."""
        if self.activation == "sigmoid":
            return 0.5 * (1.0 + np.tanh(0.5 * logits))
        exponentials = np.exp(logits - logits.max())
        return exponentials / exponentials.sum()

    def _predict_chunk(self, pairs, batch_size):
        """Computes the logits of all answers for pairs of a converted image and a question.

        Returns:
            List with an array for each pair.
        """
        images = [image for image, _ in pairs]
        self.preprocessor.warn_of_questions([question for _, question in pairs])
        ids, mask = self.preprocessor.pack_questions([question for _, question in pairs])
        results = [None] * len(pairs)
        order = sorted(range(len(pairs)), key=lambda row: images[row].shape)
        for _, rows in itertools.groupby(order, key=lambda row: images[row].shape):
            while batch := list(itertools.islice(rows, batch_size)):
                length = -(-mask[batch].sum(axis=1).max() // LENGTH_STEP) * LENGTH_STEP
                pixels = np.stack([images[row] for row in batch])
                logits = self._predict_batch(pixels, ids[batch, :length], mask[batch, :length])
                for row, each in zip(batch, logits, strict=True):
                    results[row] = each
        return results

    def _predict_batch(self, images, ids, mask):
        function = self._functions.get(self.compute_dtype)
        if function is None:
            function = compile_function(self, self._compute_logits)
            self._functions[self.compute_dtype] = function
        padded = [pad_batch(x) for x in (images, ids, mask)]
        return ops.convert_to_numpy(function(*padded))[: len(images)]

    def _compute_logits(self, images, ids, mask):
        logits = self({"images": images, "questions": ids, "question_mask": mask}, training=False)
        return ops.cast(logits, "float32")

    def reset_compiled_functions(self):
        self._functions = {}

    def compile(
        self,
        optimizer="auto",
        loss="auto",
        *,
        weighted_metrics="auto",
        jit_compile="auto",
        **kwargs,
    ):
        """Configures the model for training; see `keras.Model.compile`.

        The defaults are AdamW with a learning rate of 1e-4, the sum of the binary cross-entropies
        of all answers or, with `activation="softmax"`, the cross-entropy; and the score of the most
        probable answer. On TensorFlow, `jit_compile="auto"` uses XLA only on a GPU, because the
        convolutions of image encoders are many times slower with XLA on a CPU.
        """
        self._jit_compile_argument = jit_compile
        if optimizer == "auto":
            optimizer = keras.optimizers.AdamW(1e-4, weight_decay=0.01)
        if loss == "auto":
            loss = answer_loss if self.activation == "sigmoid" else answer_cross_entropy
        if weighted_metrics == "auto":
            weighted_metrics = [keras.metrics.MeanMetricWrapper(answer_accuracy, name="accuracy")]
        super().compile(
            optimizer,
            loss,
            weighted_metrics=weighted_metrics,
            jit_compile=resolve_jit_compile(jit_compile),
            **kwargs,
        )
        self.reset_compiled_functions()

    def fit(self, x=None, y=None, batch_size=None, epochs=1, *, validation_data=None, **kwargs):
        """Trains the model on raw or preprocessed data; see `keras.Model.fit`."""
        x, y = score_targets(x, y, self.answers)
        if isinstance(validation_data, tuple) and len(validation_data) > 1:
            inputs, targets, *weights = validation_data
            validation_data = (*score_targets(inputs, targets, self.answers), *weights)
        kwargs["validation_data"] = validation_data
        return super().fit(x, y, batch_size, epochs, **kwargs)

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """Evaluates the model on raw or preprocessed data; see `keras.Model.evaluate`."""
        return super().evaluate(*score_targets(x, y, self.answers), batch_size, **kwargs)

    def preprocess_samples(self, x, y=None, sample_weight=None):
        x, y = score_targets(x, y, self.answers, is_batch=True)
        return super().preprocess_samples(x, y, sample_weight)

    def export(self, folder, top_k=1, manifest=None):
        """Writes a SavedModel for TensorFlow Serving that answers questions about image files.

        The graph decodes image files and tokenizes questions, and contains only TensorFlow
        operations. `serving_default` takes `image_bytes` and `questions`, strings `(batch,)`, and
        returns `answers`, strings `(batch, top_k)`, the most probable first; `probabilities`,
        float32 `(batch, top_k)`; and `error_codes`, as of `Captioner.export`.

        It needs a tokenizer of this package, such as `WordTokenizer` or `WordPieceTokenizer`: the
        operations of KerasHub's tokenizers are not part of TensorFlow Serving.

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
        return self._export_graph(folder, top_k, manifest)

    def _export_graph(self, folder, top_k, manifest):
        raise NotImplementedError(f"{type(self).__name__} must implement `_export_graph`.")

    def _list_features(self, inputs):
        names = ("images", "image_tokens") if isinstance(inputs, dict) else ()
        return [(name, None, inputs[name], None) for name in names if name in inputs]
