"""BERT's tokenizer equals Hugging Face's `tokenizers` (stored ids)."""

import json
from pathlib import Path

import keras
import pytest

from keras_mmfusion.models.tokenizers import WordPieceTokenizer

CASES = json.loads((Path(__file__).parent / "data" / "word_piece.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def tokenizer():
    return WordPieceTokenizer(CASES["vocabulary"], start_token="[DEC]")


def test_ids_equal_tokenizers(tokenizer):
    assert tokenizer(CASES["texts"]) == CASES["ids"]


def test_decoded_texts_equal_tokenizers(tokenizer):
    assert [tokenizer.detokenize(row) for row in CASES["decoded_ids"]] == CASES["decoded"]


def test_graph_gives_the_same_ids_and_texts(tokenizer):
    tf = pytest.importorskip("tensorflow")

    @tf.function(input_signature=[tf.TensorSpec((None,), "string")])
    def tokenize(texts):
        return tokenizer(texts)

    @tf.function(input_signature=[tf.RaggedTensorSpec((None, None), "int32")])
    def detokenize(ids):
        return tokenizer.detokenize(ids)

    assert tokenize(CASES["texts"]).to_list() == CASES["ids"]
    ids = tf.ragged.constant(CASES["decoded_ids"], dtype="int32", ragged_rank=1)
    assert [text.decode() for text in detokenize(ids).numpy()] == CASES["decoded"]
    assert tokenize([]).to_list() == []


def test_decoding_stops_at_the_end_token(tokenizer):
    ids = tokenizer("a dog")
    row = [tokenizer.start_token_id, *ids, tokenizer.end_token_id, *ids, tokenizer.pad_token_id]
    assert tokenizer.detokenize([[row]]) == [["a dog"]]


def test_config_and_assets_restore_the_tokenizer(tokenizer, tmp_path):
    restored = keras.layers.deserialize(keras.layers.serialize(tokenizer))
    tokenizer.save_assets(tmp_path)
    with pytest.raises(ValueError, match="has no vocabulary"):
        restored("a dog")
    restored.load_assets(tmp_path)
    assert restored.get_vocabulary() == tokenizer.get_vocabulary()
    assert restored.start_token_id == tokenizer.start_token_id
    assert restored(CASES["texts"]) == CASES["ids"]


def test_case_and_accents_can_be_kept():
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "É", "e"]
    assert WordPieceTokenizer(vocabulary)("É e") == [6, 6]
    assert WordPieceTokenizer(vocabulary, lowercase=False)("É e") == [5, 6]


def test_text_without_special_tokens_is_split_as_plain_text():
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "dog"]
    tokenizer = WordPieceTokenizer(vocabulary, special_tokens=())
    assert tokenizer("A dog [SEP]")[:2] == [4, 5]
    assert 3 not in tokenizer("A dog [SEP]")


def test_invalid_vocabularies_and_inputs_raise(tokenizer):
    with pytest.raises(ValueError, match="lacks the special tokens"):
        WordPieceTokenizer(["[PAD]", "a"])
    with pytest.raises(ValueError, match="contains a token twice"):
        WordPieceTokenizer([*CASES["vocabulary"], "dog"])
    with pytest.raises(ValueError, match="must be strings"):
        tokenizer([3])
