"""Generated images of a colored shape each, and questions about them."""

import keras
import numpy as np
from keras_hub.layers import ImageConverter

from keras_mmfusion import FusionBlock, TextDecoder
from keras_mmfusion.encoders import TokenEncoder
from keras_mmfusion.models import (
    GenerativeQuestionAnswerer,
    ImageQuestionPreprocessor,
    QuestionAnswerer,
    QuestionAnsweringPreprocessor,
    WordTokenizer,
)

COLORS = {"red": (230, 20, 20), "green": (20, 200, 20), "blue": (30, 30, 240)}
SHAPES = ("bar", "square")
QUESTIONS = ["what color is the shape", "what shape is it", "is it red", "is there a square"]
ANSWERS = [*COLORS, *SHAPES, "yes", "no"]
SIZE = (8, 8)


def draw_shape(color, shape, shade=0):
    """Draws a bar or a square on a gray background, uint8 `(8, 8, 3)`."""
    image = np.full((*SIZE, 3), 128 + shade, "uint8")
    height = 1 if shape == "bar" else 4
    image[2 : 2 + height, 2:6] = np.array(COLORS[color])
    return image


def make_data(shades=(0,)):
    """Returns images, questions and answers of all combinations."""
    images, questions, answers = [], [], []
    for shade in shades:
        for color in COLORS:
            for shape in SHAPES:
                right = [color, shape, "yes" if color == "red" else "no"]
                right.append("yes" if shape == "square" else "no")
                images += [draw_shape(color, shape, shade)] * len(QUESTIONS)
                questions += QUESTIONS
                answers += right
    return np.stack(images), questions, answers


def make_preprocessor():
    tokenizer = WordTokenizer.from_captions(QUESTIONS, min_count=1)
    converter = ImageConverter(image_size=SIZE, scale=1 / 128, offset=-127 / 128)
    return ImageQuestionPreprocessor(tokenizer, converter, question_length=8)


def make_image_encoder(dtype=None):
    inputs = keras.Input((*SIZE, 3), name="images")
    features = keras.layers.Conv2D(16, 4, 4, activation="relu", dtype=dtype, name="patches")(inputs)
    return keras.Model(inputs, features, name="image_encoder")


def make_question_answerer(combine="mlb", dtype=None, answers=ANSWERS, **settings):
    keras.utils.set_random_seed(0)
    preprocessor = make_preprocessor()
    settings.setdefault(
        "text_encoder",
        TokenEncoder(
            16, 1, 2, vocabulary_size=preprocessor.tokenizer.vocabulary_size(), dtype=dtype
        ),
    )
    return QuestionAnswerer(
        settings.pop("image_encoder", make_image_encoder(dtype)),
        settings.pop("text_encoder"),
        list(answers),
        settings.pop(
            "fusion",
            FusionBlock(("image", "text"), combine=combine, dim=32, num_heads=2, dtype=dtype),
        ),
        settings.pop("preprocessor", preprocessor),
        **settings,
    )


def make_generative_answerer():
    keras.utils.set_random_seed(0)
    tokenizer = WordTokenizer.from_captions([*QUESTIONS, *ANSWERS], min_count=1)
    size = tokenizer.vocabulary_size()
    converter = ImageConverter(image_size=SIZE, scale=1 / 128, offset=-127 / 128)
    return GenerativeQuestionAnswerer(
        make_image_encoder(),
        TokenEncoder(16, 1, 2, vocabulary_size=size),
        TextDecoder(size, 16, 2, 2, sequence_length=4, cross_attention=True, dropout=0.0),
        preprocessor=QuestionAnsweringPreprocessor(tokenizer, converter, 4, 8),
    )
