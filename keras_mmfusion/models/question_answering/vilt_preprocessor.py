import keras
import numpy as np
from keras_hub.models import Preprocessor

from keras_mmfusion._checks import check_integer
from keras_mmfusion._keras_internals import uses_tensorflow_operations
from keras_mmfusion.encoders.aspect_ratio_image_converter import AspectRatioImageConverter
from keras_mmfusion.models.question_answering.question_packing import QuestionPacking
from keras_mmfusion.models.question_answering.vilt_backbone import ViltBackbone
from keras_mmfusion.models.tokenizers.word_piece_tokenizer import WordPieceTokenizer


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ViltPreprocessor(QuestionPacking, Preprocessor):
    """Preprocesses images and questions for `ViltQuestionAnswerer`.

    Questions are packed as by `QuestionAnsweringPreprocessor`.

    Args:
        tokenizer: tokenizer with `start_token_id`, `end_token_id` and `pad_token_id`.
        image_converter: an `AspectRatioImageConverter`.
        question_length: int. The number of ids of a question, from 2.
        **kwargs: passed to `keras_hub.models.Preprocessor`.

    Call arguments:
        x: dict with `"images"`, `(batch, height, width, 3)` with values from 0 to 255 or a list of
            images of different sizes, and `"questions"`, strings `(batch,)`.
        y: optional targets, such as the scores of the answers; returned unchanged.
        sample_weight: optional weights of the questions, returned unchanged.

    Returns:
        `x`, `(x, y)` or `(x, y, sample_weight)`: `x` is a dict of `"images"`, `"image_sizes"`,
        `"questions"` and `"question_mask"`, see `ViltEmbedding`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.encoders import AspectRatioImageConverter
    >>> from keras_mmfusion.models import ViltPreprocessor
    >>> from keras_mmfusion.models.tokenizers import WordPieceTokenizer
    >>> words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "is", "it", "red", "?"]
    >>> preprocessor = ViltPreprocessor(
    ...     WordPieceTokenizer(words), AspectRatioImageConverter(32, multiple=16), 7)
    >>> x = preprocessor({"images": [np.zeros((20, 40, 3), "uint8")], "questions": ["Is it red?"]})
    >>> x["questions"].tolist(), x["image_sizes"].tolist()
    ([[2, 5, 6, 7, 8, 3, 0]], [[16, 48]])
    """

    # `from_preset` uses these to find the preprocessor in a model's preset folder.
    backbone_cls = ViltBackbone
    tokenizer_cls = WordPieceTokenizer
    image_converter_cls = AspectRatioImageConverter

    def __init__(self, tokenizer, image_converter, question_length=40, **kwargs):
        super().__init__(**kwargs)
        self.tokenizer = tokenizer
        self.image_converter = image_converter
        self.question_length = check_integer(self, "question_length", question_length, 2)

    def call(self, x, y=None, sample_weight=None):
        if not isinstance(x, dict) or not {"images", "questions"} <= x.keys():
            received = sorted(x) if isinstance(x, dict) else type(x)
            raise ValueError(
                f"`x` must be a dict with 'images' and 'questions'. Received: {received}"
            )
        in_graph = uses_tensorflow_operations(self)
        pack = self.pack_questions_tensor if in_graph else self.pack_questions
        images = x["images"]
        if not in_graph and not isinstance(images, (list, tuple)):
            images = np.asarray(keras.ops.convert_to_numpy(images))
        images, sizes = self.image_converter(images)
        questions, mask = pack(x["questions"])
        inputs = {
            "images": images,
            "image_sizes": sizes,
            "questions": questions,
            "question_mask": mask,
        }
        return keras.utils.pack_x_y_sample_weight(inputs, y, sample_weight)

    def convert_image(self, image):
        """Resizes and scales an array `(height, width, 3)`; returns a float NumPy array."""
        return keras.ops.convert_to_numpy(self.image_converter(image)[0])

    def get_config(self):
        return {**super().get_config(), "question_length": self.question_length}
