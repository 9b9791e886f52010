import keras
import numpy as np
from keras_hub.layers import ImageConverter
from keras_hub.models import BertTokenizer, Preprocessor

from keras_mmfusion._checks import check_integer
from keras_mmfusion._keras_internals import uses_tensorflow_operations
from keras_mmfusion.encoders.image_encoder import ImageEncoder
from keras_mmfusion.models.convert_frames import convert_frames
from keras_mmfusion.models.question_answering.question_packing import QuestionPacking


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ImageQuestionPreprocessor(QuestionPacking, Preprocessor):
    """Preprocesses images and questions for `QuestionAnswerer`.

    Questions are packed as by `QuestionAnsweringPreprocessor`. Calls work eagerly on every backend,
    without TensorFlow, and inside `tf.data`.

    Args:
        tokenizer: tokenizer with `start_token_id`, `end_token_id` and `pad_token_id`, such as a
            `WordTokenizer` or a `keras_hub.tokenizers.BertTokenizer`.
        image_converter: a `keras_hub.layers.ImageConverter` that resizes and scales the images.
        question_length: int. The number of ids of a question, from 2. Longer questions are
            truncated.
        **kwargs: passed to `keras_hub.models.Preprocessor`.

    Call arguments:
        x: dict with `"images"`, `(batch, height, width, 3)` with values from 0 to 255 or, in eager
            calls, a list of images of different sizes, or videos `(batch, frames, height, width,
            3)`; and `"questions"`, strings `(batch,)`.
            Other entries, such as `"image_tokens"`, are returned unchanged.
        y: optional targets, returned unchanged.
        sample_weight: optional weights of the questions, returned unchanged.

    Returns:
        `x`, `(x, y)` or `(x, y, sample_weight)`: `x` is a dict of float `"images"`, int32
        `"questions"`, and bool `"question_mask"`, both `(batch, question_length)`.

    Example:

    >>> import numpy as np
    >>> from keras_hub.layers import ImageConverter
    >>> from keras_mmfusion.models import ImageQuestionPreprocessor, WordTokenizer
    >>> preprocessor = ImageQuestionPreprocessor(
    ...     WordTokenizer.from_captions(["is it red"], min_count=1),
    ...     ImageConverter(image_size=(4, 4), scale=1 / 255),
    ...     question_length=6,
    ... )
    >>> x = preprocessor({"images": np.zeros((1, 8, 8, 3)), "questions": ["Is it blue?"]})
    >>> x["questions"].tolist(), x["question_mask"].sum().tolist()
    ([[1, 4, 5, 3, 2, 0]], 5)
    """

    # `from_preset` uses these to find the preprocessor in a model's preset folder.
    backbone_cls = ImageEncoder
    tokenizer_cls = BertTokenizer
    image_converter_cls = ImageConverter

    def __init__(self, tokenizer, image_converter, question_length=32, **kwargs):
        super().__init__(**kwargs)
        self.tokenizer = tokenizer
        self.image_converter = image_converter
        self.question_length = check_integer(self, "question_length", question_length, 2)
        self.built = True

    def call(self, x, y=None, sample_weight=None):
        if not isinstance(x, dict) or "questions" not in x or not {"images", "image_tokens"} & {*x}:
            received = sorted(x) if isinstance(x, dict) else type(x)
            raise ValueError(
                f"`x` must be a dict with 'images' and 'questions'. Received: {received}"
            )
        in_graph = uses_tensorflow_operations(self)
        pack = self.pack_questions_tensor if in_graph else self.pack_questions
        inputs = dict(x)
        if "images" in x:
            inputs["images"] = self.generate_preprocess(x["images"])
        inputs["questions"], inputs["question_mask"] = pack(x["questions"])
        return keras.utils.pack_x_y_sample_weight(inputs, y, sample_weight)

    @property
    def image_size(self):
        """The size of preprocessed images, `(height, width)`."""
        size = self.image_converter.image_size
        return None if size is None else tuple(size)

    def convert_image(self, image):
        """Resizes and scales an array `(height, width, 3)`, or a list of frames of one size.

        Returns:
            Float32 NumPy array.
        """
        batch = np.stack(image if isinstance(image, list) else [image])
        images = keras.ops.convert_to_numpy(self.generate_preprocess(batch)).astype("float32")
        return images if isinstance(image, list) else images[0]

    def generate_preprocess(self, images):
        """Resizes and scales images `(batch, height, width, 3)`, a list of images, or videos."""
        if uses_tensorflow_operations(self):
            import tensorflow as tf

            # Cast first, so that resizing does not round.
            images = tf.cast(images, "float32")
            shape = [size or tf.shape(images)[i] for i, size in enumerate(images.shape)]
            return convert_frames(self.image_converter, images, tf.reshape, shape)
        if isinstance(images, (list, tuple)):  # They may have different sizes.
            return np.stack([self.convert_image(image) for image in images])
        if not keras.ops.is_tensor(images):
            images = np.asarray(images)
        images = keras.ops.cast(images, "float32")
        return convert_frames(self.image_converter, images, keras.ops.reshape, images.shape)

    def get_config(self):
        return {**super().get_config(), "question_length": self.question_length}
