import random
import re

import pytest

from keras_mmfusion.models.captioning.word_standardization import standardize, standardize_tensor


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Dog RUNS .", "a dog runs"),
        ("tri-colored, black/white", "tri colored black white"),
        ("the dog's ball", "the dog's ball"),
        ("dog\u2019s dog\u02bcs dog\u00b4s dog`s", "dog's dog's dog's dog's"),
        ("'quoted' \u2018words\u2019 ''here'' '", "quoted words here"),
        ("the dogs' tails", "the dogs tails"),
        ("rock 'n' roll", "rock n roll"),
        ("Café naïve ÅNGSTRÖM", "cafe naive angstrom"),
        ("cafe\u0301", "cafe"),
        ("Straße Øre œuvre İstanbul", "strasse ore oeuvre istanbul"),
        ("\ufb01re \uff21\uff22\uff11", "fire ab1"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("a\tb\nc\u00a0d\u2003e\0f", "a b c d e f"),
        ("[START] a [END]", "start a end"),
        ("dog 🐶 犬 собака", "dog"),
        ("...", ""),
        ("", ""),
    ],
)
def test_standardize_examples(text, words):
    assert standardize(text).split() == words.split()
    assert standardize(text.encode()).split() == words.split()


def hostile_texts():
    generator = random.Random(0)
    unicode = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    yield from unicode[:0x10000:7]
    for _ in range(1000):
        yield "".join(generator.choices(" 'aB-\n\u2019", k=12))
        yield "".join(generator.choices(unicode[:0x3000] + ["'", "e", " "] * 4000, k=30))
        yield "".join(generator.choices(unicode, k=10))
        yield bytes(generator.choices(range(256), k=12))
    yield from (b"\xe2\x82abc", b"\xf0\x90a\xc3(", b"\xed\xa0\x80a", b"\xc0\xafa", b"a\xf4\x90\x80")


def test_tensor_path_equals_python_path():
    tensorflow = pytest.importorskip("tensorflow")
    texts = list(hostile_texts())
    found = standardize_tensor(tensorflow.constant(texts)).numpy()
    for text, result in zip(texts, found, strict=True):
        words = standardize(text).split()
        assert result.decode().split() == words, text
        assert all(re.fullmatch("[a-z0-9]+('[a-z0-9]+)*", word) for word in words), text
