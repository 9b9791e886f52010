import os
import pathlib
import shutil

import pytest

from keras_mmfusion.metrics.tokenization.ptb_tokenizer import PTBTokenizer

DATA = pathlib.Path(__file__).parent.parent / "data"


def read_lines(name):
    return (DATA / name).read_text(encoding="utf-8").split("\n")[:-1]


def tokenize(lines):
    return PTBTokenizer(keep_punctuation=True).tokenize_lines(lines)


def test_hostile_captions_have_the_stored_java_tokens():
    assert tokenize(read_lines("hostile_captions.txt")) == read_lines("hostile_captions.tokens.txt")


@pytest.mark.java
def test_hostile_captions_have_java_tokens_in_any_order():
    # The tokens of a caption may depend on the next caption.
    pytest.importorskip("pycocoevalcap")
    if not shutil.which("java"):
        pytest.skip("needs a Java runtime")
    from write_hostile_tokens import tokenize_with_java

    lines = read_lines("hostile_captions.txt")
    assert tokenize(lines) == tokenize_with_java(lines)
    assert tokenize(lines[::-1]) == tokenize_with_java(lines[::-1])
    mixed = lines[::2] + lines[1::2]
    assert tokenize(mixed) == tokenize_with_java(mixed)


@pytest.mark.java
@pytest.mark.shared_data
def test_all_flickr8k_captions_have_java_tokens():
    folder = os.environ.get("KERAS_MMFUSION_TEST_DATA")
    if not folder:
        pytest.skip("set KERAS_MMFUSION_TEST_DATA to the folder of the data sets")
    pytest.importorskip("pycocoevalcap")
    if not shutil.which("java"):
        pytest.skip("needs a Java runtime")
    from write_hostile_tokens import tokenize_with_java

    text = pathlib.Path(folder, "flickr8k", "Flickr8k.token.txt").read_text(encoding="utf-8")
    captions = [line.split("\t")[1] for line in text.splitlines()]
    assert len(captions) == 35000
    assert tokenize(captions) == tokenize_with_java(captions)


def test_tokenize_removes_punctuation_and_keeps_ids_and_order():
    captions = {"b": ["Hello , world !", 'A "big" dog ...'], "a": ["(x)"]}
    assert PTBTokenizer().tokenize(captions) == {
        "b": ["hello world", "a big dog"],
        # Tokens are lower-cased first, so "-LRB-" in the punctuation list does not match.
        "a": ["-lrb- x -rrb-"],
    }


def test_captions_without_tokens_become_empty_strings():
    assert PTBTokenizer().tokenize({1: ["", " ", "..."], 2: []}) == {1: ["", "", ""], 2: []}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\u2028", "\x0b", "\x85"])
def test_newline_within_a_caption_is_a_space(newline):
    captions = {1: [f"a dog{newline}runs"], 2: ["b"]}
    assert PTBTokenizer().tokenize(captions) == {1: ["a dog runs"], 2: ["b"]}


def test_period_of_an_abbreviation_depends_on_the_next_caption():
    tokens = PTBTokenizer().tokenize_lines(["type I.", "The dog", "type I.", "dog"])
    assert tokens == ["type i", "the dog", "type i.", "dog"]


def test_cached_chunks_give_the_same_tokens():
    tokenizer = PTBTokenizer(keep_punctuation=True)
    lines = read_lines("hostile_captions.txt")
    assert tokenizer.tokenize_lines(lines) == tokenizer.tokenize_lines(lines)
    alone = [tokenizer.tokenize_lines([line])[0] for line in lines]
    assert alone == [tokenize([line])[0] for line in lines]
