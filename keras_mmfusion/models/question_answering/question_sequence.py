"""Batches of questions for training, without TensorFlow."""

import math

import keras
import numpy as np

from keras_mmfusion.datasets.images.read_image import read_image
from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.datasets.questions.class_scores import score_classes
from keras_mmfusion.models.question_answering.answer_classifier import AnswerClassifier
from keras_mmfusion.models.question_answering.answer_targets import make_targets

CACHE_BYTES = 1 << 30  # Images are kept in memory if they need less.


class QuestionSequence(keras.utils.PyDataset):
    """Preprocessed batches of a question answerer, read from image files.

    A batch depends only on `seed`, the epoch and its index. Each image is read once if all fit into
    memory.

    Args:
        data: `QuestionAnswers`.
        model: `QuestionAnswerer`, or `GenerativeQuestionAnswerer`, which is trained on one of the
            human answers to a question, another one in each epoch.
        batch_size: int.
        shuffle: bool. Whether to visit the questions in a new random order each epoch.
        seed: int. The seed of the order.
        encode: function of a batch of preprocessed images that returns their `"image_tokens"`, with
            which the model is then trained; or `None`.
        image_tokens: dict, path -> float16 image tokens that `encode` returned before, to which
            those of further images are added; or `None`. Sequences may share it.
        **kwargs: passed to `keras.utils.PyDataset`.
    """

    def __init__(
        self,
        data,
        model,
        batch_size,
        shuffle=True,
        seed=0,
        encode=None,
        image_tokens=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.data = data
        self.preprocessor = model.preprocessor
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0
        self.questions = self.preprocessor.pack_questions(data.questions)
        self.image_key = "images" if encode is None else "image_tokens"
        self.classes = len(model.answers) if isinstance(model, AnswerClassifier) else None
        if self.classes is not None:
            self.scores = score_classes(data.answers, model.answers, leave_one_out=False)
        self.images = {} if encode is None or image_tokens is None else image_tokens
        self._keeps_images = encode is not None
        if encode is not None:
            self._encode_images(encode)

    def _encode_images(self, encode):
        paths = sorted(set(self.data.images) - self.images.keys())
        for start in range(0, len(paths), 32):
            chunk = paths[start : start + 32]
            tokens = encode(np.stack([self._load_image(path) for path in chunk]))
            tokens = keras.ops.convert_to_numpy(keras.ops.cast(tokens, "float32"))
            self.images.update(zip(chunk, tokens.astype("float16"), strict=True))

    def __len__(self):
        return math.ceil(len(self.data) / self.batch_size)

    def __getitem__(self, index):
        rows = np.arange(len(self.data))
        if self.shuffle:
            rows = np.random.default_rng([self.seed, self.epoch]).permutation(len(rows))
        rows = rows[index * self.batch_size : (index + 1) * self.batch_size]
        images = np.stack([self._get_image(self.data.images[row]) for row in rows])
        ids, mask = self.questions
        inputs = {
            self.image_key: images.astype("float32"),
            "questions": ids[rows],
            "question_mask": mask[rows],
        }
        if self.classes is not None:
            return inputs, make_targets([self.scores[row] for row in rows], self.classes)
        answers = [self._select_answer(self.data.answers[row]) for row in rows]
        inputs["answers"], targets, weights = self.preprocessor.pack_captions(answers)
        return inputs, targets, weights

    def _select_answer(self, answers):
        return answers[self.epoch % len(answers)] if answers else ""

    def _get_image(self, path):
        image = self.images.get(path)
        if image is None:
            image = self._load_image(path)
            if not self.images:
                self._keeps_images = image.nbytes * len(set(self.data.images)) < CACHE_BYTES
            if self._keeps_images:
                self.images[path] = image
        return image

    def _load_image(self, path):
        image = read_image(path, drop_alpha=drops_alpha(self.preprocessor))
        with keras.device("cpu"):
            return self.preprocessor.convert_image(image)

    def epoch_callback(self):
        """Returns a Keras callback that sets `epoch` to the current epoch of `fit`."""
        return keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: setattr(self, "epoch", epoch)
        )
