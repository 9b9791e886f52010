"""SigLIP's tokenizer, with the ids of transformers' `SiglipTokenizer`."""

import base64
import json
import os
import re
import string

import keras

from keras_mmfusion._checks import check_choice
from keras_mmfusion.files.atomic_files import replace_file
from keras_mmfusion.files.json_files import read_json
from keras_mmfusion.models.tokenizers.character_map import SPACE, CharacterMap
from keras_mmfusion.models.tokenizers.checkpoint_tokenizer import CheckpointTokenizer
from keras_mmfusion.models.tokenizers.unigram_model import UnigramModel

VOCABULARY_FILE = "unigram.json"
LIBRARIES = ("sentencepiece", "tokenizers")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SiglipTokenizer(CheckpointTokenizer):
    """Tokenizes text as SigLIP, with the same ids as transformers' `SiglipTokenizer`.

    Text is converted to lowercase, ASCII punctuation is removed, and runs of whitespace become one
    space. The result is split into the most probable sequence of pieces of a unigram model, in
    which "▁" is a space. Special tokens in a text are found as they are written. No ids are added
    at the start or end. There is no start token.

    Calls run in pure Python, without SentencePiece. Inside a `tf.data` pipeline or a `tf.function`,
    the tokenizer is a call of Python from the graph, which cannot be exported: exported models take
    token ids.

    Args:
        vocabulary: list of pairs of a piece and its score, ordered by id; the score is `None` for
            pieces that texts never contain, such as control symbols. With `None`, the vocabulary is
            set later by `load_assets`.
        character_map: bytes. The `precompiled_charsmap` of SentencePiece, which normalizes
            characters. Empty for no normalization.
        end_token: string. The last token of a text.
        pad_token: string. The token that fills the rest; for SigLIP it is the end token.
        unknown_token: string. Stands for characters that are not in the vocabulary.
        special_tokens: strings. The tokens that a text may contain as they are written.
        lowercase: bool. Whether to convert text to lowercase.
        add_dummy_prefix: bool. Whether the model adds a space in front of a text.
        remove_extra_whitespaces: bool. Whether the model removes repeated and outer spaces.
        library: string. Whose ids to compute in the rare cases in which the libraries differ:
            `"sentencepiece"`, which transformers uses, or `"tokenizers"`, for a `tokenizer.json`.
            They differ for "▁" in a text, for spaces at its ends, next to special tokens, for the
            Greek sigma, and in the precision of scores.
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

    >>> vocabulary = [["<unk>", None], ["</s>", None], ["▁a", -1], ["▁dog", -2], ["s", -3]]
    >>> tokenizer = SiglipTokenizer(vocabulary)
    >>> tokenizer("A dog's")
    [2, 3, 4]
    >>> tokenizer.detokenize([2, 3, 4, 1, 1])
    'a dogs'
    """

    is_exportable = False

    def __init__(
        self,
        vocabulary=None,
        character_map=b"",
        end_token="</s>",
        pad_token="</s>",
        unknown_token="<unk>",
        special_tokens=("</s>", "<unk>"),
        lowercase=True,
        add_dummy_prefix=True,
        remove_extra_whitespaces=True,
        library="sentencepiece",
        dtype="int32",
        **kwargs,
    ):
        super().__init__(
            end_token, end_token, pad_token, unknown_token, special_tokens, dtype, **kwargs
        )
        self.lowercase = lowercase
        self.add_dummy_prefix = add_dummy_prefix
        self.remove_extra_whitespaces = remove_extra_whitespaces
        self.library = check_choice(None, "library", library, LIBRARIES)
        self.file_assets = [VOCABULARY_FILE]
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, character_map)

    def set_vocabulary(self, vocabulary, character_map=b""):
        """Sets the vocabulary and the character map; see the arguments of the class."""
        self.set_tokens([piece for piece, _ in vocabulary])
        self.start_token_id = None
        self.scores = [score for _, score in vocabulary]
        self._model = UnigramModel(
            vocabulary, self.unknown_token_id, single_precision=self.library == "sentencepiece"
        )
        self._character_map = CharacterMap(
            character_map, self.add_dummy_prefix, self.remove_extra_whitespaces
        )
        # The source tokenizes each text behind the unknown token, which is then removed.
        self._prefix_length = len(self._segment(self.unknown_token))

    def _segment(self, text):
        return self._model.segment(self._character_map.normalize(text))

    def split_text(self, text):
        """Returns the ids of a string."""
        text = text.encode("utf-8", "replace").decode()
        split, space = self._split_like_tokenizers, []
        if self.library == "sentencepiece":
            text, split = SPACE + text.replace(SPACE, " "), self._split_like_transformers
            space = [self._ids.get(SPACE)]
        ids, position = [], 0
        for match in self._special_pattern.finditer(text):
            part = split(text[position : match.start()])
            if position == 0 and part == space:
                part = []  # Without the space in front of the text.
            ids += [*part, self._ids[match.group()]]
            position = match.end()
        return ids + split(text[position:])

    def _split_like_transformers(self, text):
        """Returns the ids of a string without special tokens."""
        text = self._canonicalize(text.lower() if self.lowercase else text)
        return self._segment(self.unknown_token + text)[self._prefix_length :] if text else []

    def _split_like_tokenizers(self, text):
        text = "".join(map(str.lower, text)) if self.lowercase else text
        text = self._character_map.normalize(self._canonicalize(text))
        if text and not text.startswith(SPACE):
            text = SPACE + text
        words = re.findall(f"{SPACE}?[^{SPACE}]+|{SPACE}", text)
        return [id for word in words for id in self._model.segment(word)]

    def _canonicalize(self, text):
        return re.sub(r"\s+", " ", text.translate(_PUNCTUATION)).strip()

    def split_tensor(self, texts):
        """Returns the ids of a vector of strings, as a ragged tensor."""
        import numpy as np
        import tensorflow as tf

        def split(texts):
            rows = [self.split_text(text.decode("utf-8", "replace")) for text in texts]
            lengths = np.array([len(row) for row in rows], "int64")
            return np.array([id for row in rows for id in row], self.compute_dtype), lengths

        ids, lengths = tf.numpy_function(split, [texts], [self.compute_dtype, "int64"])
        ids, lengths = tf.ensure_shape(ids, (None,)), tf.ensure_shape(lengths, texts.shape)
        return tf.RaggedTensor.from_row_lengths(ids, lengths)

    def join_tokens(self, tokens):
        """Joins tokens to a text."""
        return "".join(tokens).replace(SPACE, " ").strip()

    def join_tensor(self, ids):
        """Joins a ragged tensor of ids to texts."""
        import tensorflow as tf

        tokens = tf.gather(self._get_tables()["tokens"], ids.flat_values)
        texts = tf.strings.reduce_join(ids.with_flat_values(tokens), axis=-1)
        return tf.strings.strip(tf.strings.regex_replace(texts, SPACE, " "))

    def _make_tables(self):
        import tensorflow as tf

        return {"tokens": tf.constant(self.tokens)}

    def save_assets(self, dir_path):
        """Saves the vocabulary and the character map to a folder."""
        pieces = [list(each) for each in zip(self.get_vocabulary(), self.scores, strict=True)]
        character_map = base64.b64encode(self._character_map.data).decode()
        content = {"vocabulary": pieces, "character_map": character_map}
        with replace_file(os.path.join(dir_path, VOCABULARY_FILE)) as scratch:
            scratch.write_text(json.dumps(content, ensure_ascii=False), "utf-8")

    def load_assets(self, dir_path):
        """Loads the vocabulary and the character map from a folder."""
        content = read_json(os.path.join(dir_path, VOCABULARY_FILE))
        self.set_vocabulary(content["vocabulary"], base64.b64decode(content["character_map"]))

    def get_config(self):
        config = super().get_config()
        del config["start_token"]
        return {
            **config,
            "lowercase": self.lowercase,
            "add_dummy_prefix": self.add_dummy_prefix,
            "remove_extra_whitespaces": self.remove_extra_whitespaces,
            "library": self.library,
        }
