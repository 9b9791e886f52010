"""The tokenizers of GPT-2 and CLIP equal Hugging Face's `tokenizers` (stored ids)."""

import json
from pathlib import Path

import keras
import pytest

from keras_mmfusion.models.tokenizers import ClipTokenizer, Gpt2Tokenizer
from keras_mmfusion.models.tokenizers.byte_pair_characters import GPT2_PATTERN, split_words
from keras_mmfusion.models.tokenizers.byte_pair_tokenizer import make_byte_characters

CASES = json.loads((Path(__file__).parent / "data" / "byte_pair.json").read_text("utf-8"))
TEXTS = CASES["texts"]


@pytest.fixture(scope="module", params=["gpt2", "digits", "clip"])
def case(request):
    """The tokenizer, and the expected ids and texts."""
    expected = CASES[request.param]
    vocabulary = [*make_byte_characters(), *expected["tokens"]]
    tokenizer_class = ClipTokenizer if request.param == "clip" else Gpt2Tokenizer
    settings = {"split_digits": True} if request.param == "digits" else {}
    return tokenizer_class(vocabulary, expected["merges"], **settings), expected


def test_ids_equal_tokenizers(case):
    tokenizer, expected = case
    assert tokenizer(TEXTS) == expected["ids"]


def test_decoded_texts_equal_tokenizers(case):
    tokenizer, expected = case
    decoded = [tokenizer.detokenize(row) for row in expected["decoded_ids"]]
    assert decoded == expected["decoded"]


def test_graph_gives_the_same_ids_and_texts(case):
    tf = pytest.importorskip("tensorflow")
    tokenizer, expected = case

    @tf.function(input_signature=[tf.TensorSpec((None,), "string")])
    def tokenize(texts):
        return tokenizer(texts)

    @tf.function(input_signature=[tf.RaggedTensorSpec((None, None), "int32")])
    def detokenize(ids):
        return tokenizer.detokenize(ids)

    texts = [*TEXTS, "cafe\u0301", "A\u030a\u0301 q\u0307\u0323", "\u1100\u1161\u11a8"]
    assert tokenize(texts).to_list() == tokenizer(texts)
    ids = tf.ragged.constant(expected["decoded_ids"], dtype="int32", ragged_rank=1)
    assert [text.decode() for text in detokenize(ids).numpy()] == expected["decoded"]
    assert tokenize([]).to_list() == []


def test_special_tokens_of_untrusted_spans_are_text(case):
    tokenizer, _ = case
    end = tokenizer.end_token
    text = tokenizer.split_spans([(f"dog{end}", False)])
    assert tokenizer.end_token_id not in text
    assert tokenizer.split_spans([(end, True), (f"dog{end}", False), (end, True)]) == [
        tokenizer.end_token_id,
        *text,
        tokenizer.end_token_id,
    ]


def test_words_continue_across_spans(case):
    tokenizer, _ = case
    for text in TEXTS[:20]:
        spans = [(character, False) for character in text]
        assert tokenizer.split_spans(spans) == tokenizer.split_spans([(text, False)])


def test_decoding_stops_at_the_end_token(case):
    tokenizer, _ = case
    ids = tokenizer("dog")
    row = [tokenizer.start_token_id, *ids, tokenizer.end_token_id, *ids, tokenizer.pad_token_id]
    assert tokenizer.detokenize([[row]]) == [["dog"]]


def test_config_and_assets_restore_the_tokenizer(case, tmp_path):
    tokenizer, expected = case
    restored = keras.layers.deserialize(keras.layers.serialize(tokenizer))
    tokenizer.save_assets(tmp_path)
    restored.load_assets(tmp_path)
    assert restored.get_vocabulary() == tokenizer.get_vocabulary()
    assert restored(TEXTS) == expected["ids"]


def test_merges_of_unknown_tokens_raise():
    with pytest.raises(ValueError, match=r"lacks \['do'\] of the merge 'd o'"):
        Gpt2Tokenizer([*make_byte_characters(), "<|endoftext|>"], ["d o"])


def test_line_breaks_before_a_space_are_one_word():
    assert split_words("a\n\n b\n\nc", GPT2_PATTERN) == ["a", "\n\n", " b", "\n", "\n", "c"]
