"""Language models with random weights, and their tokenizer of single characters."""

import keras
import keras_hub
import numpy as np

from keras_mmfusion.models import (
    ChatTemplate,
    Gpt2Tokenizer,
    LanguagePreprocessor,
    LlamaBackbone,
)
from keras_mmfusion.models.tokenizers.byte_pair_tokenizer import make_byte_characters

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>"]
VOCABULARY = [*SPECIAL, *make_byte_characters()]
IMAGE_ID = 3


def small_preprocessor(sequence_length=64, **settings):
    """A preprocessor for the models of this module."""
    tokenizer = Gpt2Tokenizer(
        VOCABULARY, [], *SPECIAL[1:3], pad_token=SPECIAL[2], special_tokens=SPECIAL[:3]
    )
    return LanguagePreprocessor(
        tokenizer, sequence_length, chat_template=ChatTemplate(), **settings
    )


def small_llama(num_layers=2, dim=16, **settings):
    return scale_weights(
        LlamaBackbone(
            len(VOCABULARY), num_layers, 4, dim, 24, 2, tie_word_embeddings=True, **settings
        )
    )


def small_gpt2(num_layers=2, dim=16):
    backbone = keras_hub.models.GPT2Backbone(
        len(VOCABULARY), num_layers, 4, dim, 24, max_sequence_length=128
    )
    return scale_weights(backbone)


def scale_weights(model):
    """Gives a model weights of a size with which every part of it affects the logits."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if len(weight.shape) > 1:
            weight.assign(rng.normal(scale=0.5, size=weight.shape))
        elif weight.name == "bias":
            weight.assign(rng.normal(scale=0.1, size=weight.shape))
    return model


def to_numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))
