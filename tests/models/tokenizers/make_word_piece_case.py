"""Writes the ids and texts of Hugging Face's `tokenizers` that the tests compare with.

    python tests/models/tokenizers/make_word_piece_case.py

Requires `tokenizers` (written with 0.23.3).
"""

import json
import random
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import WordPiece

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [
    "dog",
    "cat",
    "man",
    "rid",
    "ing",
    "run",
    "ning",
    "the",
    "play",
    "er",
    "ed",
    "in",
    "on",
    "wave",
    "中",
    "国",
    "n't",
    "'s",
    "don",
    "cafe",
    "strasse",
]
TEXTS = [
    "",
    "  ",
    "A Dog isn't running.",
    "don't do not",
    "Café ÉTÉ naïve",
    "Straße ΣΟΦΟΣ İstanbul",
    "中国cat国",
    "a[SEP]b [CLS][MASK] [sep] [[SEP]] [DEC]",
    "\x00\ufffd\u200bzero\u200dwidth\ufeff",
    "tab\tnew\nline\r\u2028x\u3000y\xa0z a\x85b\x0bc\x0cd",
    "#hashtag ##ing",
    "e\u0301 o\u0308 ǅ ǆ ŉ ﬁ",
    "x" * 100,
    "a" * 100,
    "a" * 101,
    "é" * 100,
    "İ" * 60,
    "ж 한국어 조선 😀dog😀",
    "U.S.A. 3.14 (wow)!! it's 'quoted' “curly” – dash…",
    "\U000f0001dog\U000f00ff",
    "qx q xq",
]


def main():
    random_texts = random.Random(0)
    letters = "abcdefgxyzABCDEÉé ß中.,!?'-#[]\t Σİ\u0301"
    texts = TEXTS + [
        "".join(random_texts.choice(letters) for _ in range(random_texts.randint(0, 40)))
        for _ in range(200)
    ]
    characters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'()[]-#éßσςi"
    vocabulary = [*SPECIAL, *characters, *(f"##{c}" for c in characters if c not in "xq(")]
    vocabulary += [*WORDS, *(f"##{word}" for word in WORDS), "[DEC]"]
    vocabulary = list(dict.fromkeys(vocabulary))
    ids = {token: index for index, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(True, True, None, True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    encoded = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    decoded_ids = [[i for i in row if vocabulary[i] not in SPECIAL] for row in encoded]
    case = {
        "vocabulary": vocabulary,
        "texts": texts,
        "ids": encoded,
        "decoded_ids": decoded_ids,
        "decoded": [tokenizer.decode(row) for row in decoded_ids],
    }
    path = Path(__file__).parent / "data" / "word_piece.json"
    path.write_text(json.dumps(case), "utf-8")
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
