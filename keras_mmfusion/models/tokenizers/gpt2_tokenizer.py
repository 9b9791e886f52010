"""The tokenizer of GPT-2 and SmolLM2."""

import keras

from keras_mmfusion.models.tokenizers.byte_pair_characters import DIGITS_PATTERN, GPT2_PATTERN
from keras_mmfusion.models.tokenizers.byte_pair_tokenizer import BytePairTokenizer


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class Gpt2Tokenizer(BytePairTokenizer):
    """Tokenizes text as GPT-2 or SmolLM2, with the same ids as Hugging Face's `tokenizers`.

    Text is split into words, which include the space in front of them. The bytes of a word are
    merged in pairs, the pair that comes first in the list of merges first. Special tokens in a
    text are found as they are written; `split_spans` finds them only in trusted parts of it.

    Eager calls run in pure Python; inside a `tf.data` pipeline or a `tf.function`, TensorFlow
    operations compute the same ids, without TensorFlow Text.

    Args:
        vocabulary: list of strings, the tokens ordered by id. With `None`, the vocabulary and the
            merges are set later by `load_assets`.
        merges: list of strings, two tokens separated by a space, or of pairs of strings.
        start_token: string. The first token of a generated text.
        end_token: string. The last token of a text.
        pad_token: string. The token that fills the rest.
        unknown_token: string. Never needed: bytes that are no tokens are left out.
        special_tokens: strings. The tokens that a text may contain as they are written.
        split_digits: bool. Whether each digit is a word of its own, as in SmolLM2.
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
    >>> vocabulary = [*make_byte_characters(), "do", "dog", "Ġdog", "<|endoftext|>"]
    >>> tokenizer = Gpt2Tokenizer(vocabulary, ["d o", "do g", "Ġ dog"])
    >>> tokenizer("dog dog!")
    [257, 258, 33]
    >>> tokenizer.detokenize([259, 257, 258, 259])
    'dog dog'
    """

    def __init__(
        self,
        vocabulary=None,
        merges=None,
        start_token="<|endoftext|>",
        end_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        unknown_token="<|endoftext|>",
        special_tokens=("<|endoftext|>",),
        split_digits=False,
        dtype="int32",
        **kwargs,
    ):
        self.split_digits = split_digits
        self.pattern = DIGITS_PATTERN if split_digits else GPT2_PATTERN
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

    def _find_byte(self, token):
        """Returns -1 for a byte that is no token, such as control characters in SmolLM2."""
        return self._ids.get(token, -1)

    def get_config(self):
        return {**super().get_config(), "split_digits": self.split_digits}
