"""The tokenizer of CLIP."""

import functools
import unicodedata

import keras

from keras_mmfusion.models.tokenizers.byte_pair_characters import CLIP_PATTERN
from keras_mmfusion.models.tokenizers.byte_pair_tokenizer import BytePairTokenizer
from keras_mmfusion.models.tokenizers.checkpoint_tokenizer import make_table
from keras_mmfusion.models.tokenizers.composition import compose_tensor, make_composition_tables


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ClipTokenizer(BytePairTokenizer):
    """Tokenizes text as CLIP, with the same ids as Hugging Face's `tokenizers`.

    Text is composed (Unicode's NFC), converted to lowercase, and split into words without spaces.
    The bytes of a word are merged in pairs, the pair that comes first in the list of merges first.
    The last byte of a word has the suffix `</w>`. Special tokens in a text are found as they are
    written. No ids are added at the start or end.

    Eager calls run in pure Python. Inside a `tf.data` pipeline or a `tf.function`, TensorFlow
    operations compute the same ids, without TensorFlow Text.

    Args:
        vocabulary: list of strings, the tokens ordered by id. With `None`, the vocabulary and the
            merges are set later by `load_assets`.
        merges: list of strings, two tokens separated by a space, or of pairs of strings.
        start_token: string. The first token of a text.
        end_token: string. The last token of a text.
        pad_token: string. The token that fills the rest.
        unknown_token: string. Never needed, since every byte is a token.
        special_tokens: strings. The tokens that a text may contain as they are written.
        dtype: string. Integer dtype of the ids.
        **kwargs: passed to `keras_hub.tokenizers.Tokenizer`.

    Call arguments:
        inputs: string, or nested lists, NumPy array or `tf.Tensor` of strings, of any shape.

    Returns:
        Nested lists of int ids, one level deeper than the input; inside TensorFlow graphs an
        int32 `tf.RaggedTensor` (a dense vector for a single string).

    Raises:
        ValueError: if the vocabulary is invalid or has not been set.

    Example:

    >>> from keras_mmfusion.models.tokenizers.byte_pair_tokenizer import make_byte_characters
    >>> vocabulary = [*make_byte_characters(), *(f"{c}</w>" for c in make_byte_characters())]
    >>> vocabulary += ["do", "dog</w>", "<|startoftext|>", "<|endoftext|>"]
    >>> tokenizer = ClipTokenizer(vocabulary, ["d o", "do g</w>"])
    >>> tokenizer("Dog DOG!")
    [513, 513, 289]
    >>> tokenizer.detokenize([514, 513, 513, 289, 515])
    'dog dog !'
    """

    pattern = CLIP_PATTERN
    word_suffix = "</w>"

    def __init__(
        self,
        vocabulary=None,
        merges=None,
        start_token="<|startoftext|>",
        end_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        unknown_token="<|endoftext|>",
        special_tokens=("<|startoftext|>", "<|endoftext|>"),
        dtype="int32",
        **kwargs,
    ):
        super().__init__(
            vocabulary,
            merges,
            start_token=start_token,
            end_token=end_token,
            pad_token=pad_token,
            unknown_token=unknown_token,
            special_tokens=special_tokens,
            dtype=dtype,
            **kwargs,
        )

    @property
    def cls_token_id(self):
        return self.start_token_id

    @property
    def sep_token_id(self):
        return self.end_token_id

    def normalize(self, text):
        """Composes a text and converts it to lowercase."""
        return "".join(map(_lower, unicodedata.normalize("NFC", text)))

    def normalize_tensor(self, texts):
        """Composes a vector of texts and converts them to lowercase."""
        import tensorflow as tf

        tables = self._get_tables()
        characters = tf.strings.unicode_decode(compose_tensor(texts, tables), "UTF-8")
        values = characters.flat_values
        lower = tables["lowercase"].lookup(values)
        same = tf.strings.unicode_encode(values[:, tf.newaxis], "UTF-8")
        lower = characters.with_flat_values(tf.where(lower == "\0", same, lower))
        return tf.strings.reduce_join(lower, axis=-1)

    def _make_tables(self):
        lowercase = make_table(_make_lower_table(), "int32", "string", "\0")
        return {**super()._make_tables(), **make_composition_tables(), "lowercase": lowercase}


def _lower(character):
    """Converts a character to lowercase, and whitespace to a space."""
    is_space = character.isspace() and not "\x1c" <= character <= "\x1f"
    return " " if is_space else character.lower()


@functools.cache
def _make_lower_table():
    numbers = (number for number in range(0x110000) if not 0xD800 <= number <= 0xDFFF)
    return {n: lower for n in numbers if (lower := _lower(chr(n))) != chr(n)}
