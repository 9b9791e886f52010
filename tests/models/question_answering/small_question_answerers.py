"""A small question answerer with random weights."""

import keras
from keras_hub.layers import ImageConverter
from models.captioning.small_captioners import COLORS, SIZE, enlarge

from keras_mmfusion.encoders import VisionTransformer
from keras_mmfusion.models import (
    BertTextDecoder,
    BertTextEncoder,
    BlipQuestionAnswerer,
    QuestionAnsweringPreprocessor,
    WordTokenizer,
)

QUESTIONS = ["what color is it", "is it red", "what is it"]
TOKENIZER = WordTokenizer.from_captions([*QUESTIONS, *COLORS, "yes no"], min_count=1)


def make_preprocessor():
    converter = ImageConverter(image_size=SIZE, scale=1 / 128, offset=-127 / 128)
    return QuestionAnsweringPreprocessor(TOKENIZER, converter, sequence_length=5, question_length=6)


def small_blip():
    keras.utils.set_random_seed(0)
    settings = {
        "vocabulary_size": TOKENIZER.vocabulary_size(),
        "dim": 8,
        "num_layers": 1,
        "num_heads": 2,
        "sequence_length": 8,
    }
    encoder = VisionTransformer(
        image_size=SIZE, patch_size=16, dim=8, num_layers=1, num_heads=2, mlp_dim=16
    )
    model = BlipQuestionAnswerer(
        encoder,
        BertTextEncoder(**settings, image_dim=8),
        BertTextDecoder(**settings, cross_attention=True),
        make_preprocessor(),
    )
    enlarge(model)
    return model
