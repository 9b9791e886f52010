import random
import unicodedata

import pytest

from keras_mmfusion.models.tokenizers.composition import compose_tensor, make_composition_tables

tf = pytest.importorskip("tensorflow")

TEXTS = ["", "plain", "e\u0301", "\u0301e", "a\u0323\u0302", "a\u0302\u0323", "\u212b", "\u0344"]
TEXTS += [
    "각",
    "\u1100\u1161\u11a8",
    "\u1100\u1161x\u11a8",
    "\u0958",
    "\u09c7\u09be",
    "q\u0307\u0323",
]
TEXTS += [
    "\u0301\u0308\u0301",
    "\u1e9b\u0323",
    "A\u030a\u0301 \u01ed o\u0304\u0328",
    "dog 🐶",
    "\uf900",
]


def make_random_texts(count):
    rng = random.Random(0)
    composed = [chr(i) for i in range(0x30000) if unicodedata.normalize("NFD", chr(i)) != chr(i)]
    marks = [chr(i) for i in range(0x1E950) if unicodedata.combining(chr(i))]
    others = [*"aeiouAEIOU \u0438\u1100\u1161\u11a8\u09c7\u09be\u0dd9\u0dcf\u0dca\u0b47\u0b56"]
    groups = (composed, marks, marks[:60], others, others)
    return [
        "".join(rng.choice(rng.choice(groups)) for _ in range(rng.randint(1, 12)))
        for _ in range(count)
    ]


def test_texts_are_composed_as_unicodedata_does():
    tables = make_composition_tables()
    for texts in (TEXTS, ["plain", "text"], make_random_texts(3000)):
        expected = [unicodedata.normalize("NFC", text) for text in texts]
        composed = [text.decode() for text in compose_tensor(tf.constant(texts), tables).numpy()]
        assert composed == expected
    compose = tf.function(lambda texts: compose_tensor(texts, tables))
    assert [text.decode() for text in compose(tf.constant(TEXTS)).numpy()] == [
        unicodedata.normalize("NFC", text) for text in TEXTS
    ]
