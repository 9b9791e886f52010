import keras
import numpy as np
import pytest

from keras_mmfusion.models import ClipTokenizer, Gpt2Tokenizer, WordPieceTokenizer, WordTokenizer
from keras_mmfusion.models.export.saved_model_folder import write_saved_model
from keras_mmfusion.models.tokenizers.byte_pair_tokenizer import make_byte_characters

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="SavedModels need TensorFlow"
)
BYTES = make_byte_characters()
WORDS = [*BYTES, *(f"{character}</w>" for character in BYTES), "do", "dog</w>"]
TOKENIZERS = {
    "words": lambda: WordTokenizer.from_captions(["a dog"], min_count=1),
    "word_pieces": lambda: WordPieceTokenizer(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog"]
    ),
    "gpt2": lambda: Gpt2Tokenizer([*BYTES, "do", "dog", "<|endoftext|>"], ["d o", "do g"]),
    "clip": lambda: ClipTokenizer(
        [*WORDS, "<|startoftext|>", "<|endoftext|>"], ["d o", "do g</w>"]
    ),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_exported_graph_has_the_lookup_tables(name, tmp_path):
    import tensorflow as tf

    tokenizer = TOKENIZERS[name]()

    def tokenize(texts):
        return {"ids": tokenizer(texts).to_tensor()}

    specs = [tf.TensorSpec((None,), "string", name="texts")]
    version = write_saved_model(
        {"serving_default": (tokenize, specs)}, tmp_path, {}, tokenizer.lookup_tables()
    )
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    ids = served(texts=tf.constant(["A dog"]))["ids"]
    np.testing.assert_array_equal(ids, tokenizer(["A dog"]))
