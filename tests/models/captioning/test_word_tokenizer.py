import keras
import numpy as np
import pytest

from keras_mmfusion.models import WordTokenizer

CAPTIONS = ["A dog runs.", "A brown dog's ball", "a cat runs"]


@pytest.fixture
def tokenizer():
    return WordTokenizer.from_captions(CAPTIONS, min_count=1)


def test_vocabulary_is_ordered_by_count_then_alphabet(tokenizer):
    words = ["a", "runs", "ball", "brown", "cat", "dog", "dog's"]
    assert tokenizer.get_vocabulary() == ["[PAD]", "[START]", "[END]", "[UNK]", *words]
    assert tokenizer.vocabulary_size() == 11
    assert (tokenizer.pad_token_id, tokenizer.start_token_id) == (0, 1)
    assert (tokenizer.end_token_id, tokenizer.unknown_token_id) == (2, 3)
    for id, token in enumerate(tokenizer.get_vocabulary()):
        assert tokenizer.token_to_id(token) == id
        assert tokenizer.id_to_token(id) == token


def test_min_count_and_max_words():
    assert WordTokenizer.from_captions(CAPTIONS, min_count=2).get_vocabulary()[4:] == ["a", "runs"]
    most = WordTokenizer.from_captions(CAPTIONS, min_count=1, max_words=3)
    assert most.get_vocabulary()[4:] == ["a", "runs", "ball"]


def test_captions_grouped_by_image_give_the_same_vocabulary(tokenizer):
    grouped = WordTokenizer.from_captions([CAPTIONS[:1], tuple(CAPTIONS[1:])], min_count=1)
    assert grouped.get_vocabulary() == tokenizer.get_vocabulary()


@pytest.mark.parametrize("captions", [[], [""], ["..."], [[], []], ["a b c"]])
def test_empty_vocabulary_raises_an_error(captions):
    with pytest.raises(ValueError, match="No word occurs at least `min_count=2`"):
        WordTokenizer.from_captions(captions, min_count=2)


def test_single_string_raises_an_error():
    with pytest.raises(ValueError, match="iterable of strings"):
        WordTokenizer.from_captions("a dog")


def test_tokenize_shapes(tokenizer):
    assert tokenizer("A dog!") == [4, 9]
    assert tokenizer(["a zebra", ""]) == [[4, 3], []]
    assert tokenizer([["a", "cat"], ["dog's", "?"]]) == [[[4], [8]], [[10], []]]
    assert tokenizer([]) == []


@pytest.mark.parametrize("dtype", ["U", "S", "O"])
def test_tokenize_arrays(tokenizer, dtype):
    assert tokenizer(np.array([["a cat"], ["dog"]], dtype)) == [[[4, 8]], [[9]]]


def test_tokenize_rejects_non_strings(tokenizer):
    with pytest.raises(ValueError, match="`inputs` must be strings. Received 3"):
        tokenizer(["a", 3])


def test_special_tokens_in_text_are_words(tokenizer):
    assert tokenizer("[END] [PAD] [START] [UNK]") == [3, 3, 3, 3]


def test_detokenize(tokenizer):
    assert tokenizer.detokenize([1, 4, 9, 3, 2, 8, 0]) == "a dog"
    assert tokenizer.detokenize([[4, 8], [2, 4]]) == ["a cat", ""]
    assert tokenizer.detokenize([[4, 8], [4]]) == ["a cat", "a"]
    assert tokenizer.detokenize(np.array([[[4, 8, 0]]])) == [["a cat"]]
    assert tokenizer.detokenize(keras.ops.array([[4, 8, 0]])) == ["a cat"]
    assert tokenizer.detokenize([]) == ""
    with pytest.raises(ValueError, match="from 0 to 10. Received: id=11"):
        tokenizer.detokenize([11])


def test_detokenize_inverts_tokenize(tokenizer):
    captions = ["a brown dog runs", "a dog's cat"]
    assert tokenizer.detokenize(tokenizer(captions)) == captions


def test_unknown_ids_and_tokens_raise_errors(tokenizer):
    with pytest.raises(ValueError, match="'zebra'"):
        tokenizer.token_to_id("zebra")
    with pytest.raises(ValueError, match="id=-1"):
        tokenizer.id_to_token(-1)


def test_missing_vocabulary_raises_an_error():
    with pytest.raises(ValueError, match="has no vocabulary"):
        WordTokenizer()("a dog")


@pytest.mark.parametrize(
    "words", [[], ["Dog"], ["a", "a"], ["tri-colored"], [""], ["a b"], ["dogs'"]]
)
def test_invalid_vocabulary_raises_an_error(words):
    with pytest.raises(ValueError, match="`vocabulary` must contain"):
        WordTokenizer([*WordTokenizer.special_tokens, *words])


def test_vocabulary_without_special_tokens_raises_an_error():
    with pytest.raises(ValueError, match="from_captions"):
        WordTokenizer(["a", "dog", "runs", "on", "grass"])


def test_assets_round_trip(tokenizer, tmp_path):
    tokenizer.save_assets(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["vocabulary.txt"]
    loaded = WordTokenizer.from_config(tokenizer.get_config())
    loaded.load_assets(tmp_path)
    assert loaded.get_vocabulary() == tokenizer.get_vocabulary()
    assert loaded("a dog") == tokenizer("a dog")


def test_tensor_path_equals_python_path(tokenizer):
    tensorflow = pytest.importorskip("tensorflow")
    tokenize = tensorflow.function(tokenizer.tokenize)
    captions = [["a dog\u2019s café", ""], ["Zebra-runs", "ball"]]
    for inputs in (captions, captions[0], captions[0][0], [captions]):
        found = tokenize(tensorflow.constant(inputs))
        assert found.dtype == "int32"
        found = found.to_list() if hasattr(found, "to_list") else found.numpy().tolist()
        assert found == tokenizer(inputs)
    ragged = tensorflow.ragged.constant([["a", "dog"], ["cat"]])
    assert tokenize(ragged).to_list() == tokenizer([["a", "dog"], ["cat"]])
    assert tokenizer(ragged) == tokenizer([["a", "dog"], ["cat"]])


def test_tensor_path_with_unknown_batch_size(tokenizer):
    tensorflow = pytest.importorskip("tensorflow")
    dataset = tensorflow.data.Dataset.from_tensor_slices([["a dog", "cat"]] * 3)
    batches = list(dataset.batch(2).map(tokenizer))
    assert [batch.to_list() for batch in batches] == [[[[4, 9], [8]]] * 2, [[[4, 9], [8]]]]


def test_detokenize_tensor(tokenizer):
    tensorflow = pytest.importorskip("tensorflow")
    detokenize = tensorflow.function(tokenizer.detokenize)
    for ids in ([[1, 4, 9, 3, 2, 8], [2, 4, 4, 4, 4, 4]], [4, 8], [[[4, 8, 0]]]):
        found = detokenize(tensorflow.constant(ids)).numpy()
        expected = np.array(tokenizer.detokenize(ids)).astype("S")
        assert found.tolist() == expected.tolist() if expected.ndim else found == expected
