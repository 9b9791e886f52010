"""Extension of a captioner's vocabulary by the words of new captions."""

import keras
import numpy as np

from keras_mmfusion.models.captioning.captioning_preprocessor import CaptioningPreprocessor
from keras_mmfusion.models.captioning.text_decoder import TextDecoder
from keras_mmfusion.models.captioning.word_tokenizer import WordTokenizer


def extend_vocabulary(captioner, captions, min_count=5):
    """Creates a captioner that also has the frequent words of other captions.

    All weights are copied. The embedding of a new word is the mean of the embeddings of the old
    words; as the embeddings are tied, its logit is the mean of theirs, which hardly changes their
    probabilities.

    Args:
        captioner: `Captioner` with a `TextDecoder`, and a `WordTokenizer` in its preprocessor. It
            is not changed.
        captions: iterable of strings or of lists of strings.
        min_count: int. New words with fewer occurrences are omitted.

    Returns:
        A `Captioner` of the same class.

    Raises:
        ValueError: if the captioner has another decoder or tokenizer.

    Example:

    >>> from keras_mmfusion.models.captioning import extend_vocabulary
    >>> from keras_mmfusion.zoo import captioner
    >>> model = extend_vocabulary(captioner(), ["a zebra", "two zebras and a zebra"], min_count=2)
    >>> model.preprocessor.tokenizer.get_vocabulary()[-1]
    'zebra'

    Reference:
        Hewitt, "Initializing New Word Embeddings for Pretrained Language Models", 2021.
    """
    decoder, preprocessor = captioner.text_decoder, captioner.preprocessor
    tokenizer = getattr(preprocessor, "tokenizer", None)
    if not isinstance(decoder, TextDecoder) or not isinstance(tokenizer, WordTokenizer):
        raise ValueError(
            "`captioner` must have a `TextDecoder` and a `WordTokenizer`, whose vocabulary can be "
            f"extended. Received: {type(decoder).__name__}, {type(tokenizer).__name__}"
        )
    tokenizer = tokenizer.extend(captions, min_count)
    config = captioner.get_config()
    config["text_decoder"]["config"]["vocabulary_size"] = tokenizer.vocabulary_size()
    config["preprocessor"] = CaptioningPreprocessor(
        tokenizer, preprocessor.image_converter, preprocessor.sequence_length
    )
    extended = type(captioner).from_config(config)
    for old, new in zip(captioner.weights, extended.weights, strict=True):
        value = keras.ops.convert_to_numpy(old)
        if value.shape != new.shape:
            value = _append_mean_rows(value, new.shape[0])
        new.assign(value)
    return extended


def _append_mean_rows(values, count):
    """Appends the mean of the rows of words until there are `count` rows."""
    mean = values[len(WordTokenizer.special_tokens) :].mean(axis=0, keepdims=True)
    return np.concatenate([values, np.repeat(mean, count - len(values), axis=0)])
