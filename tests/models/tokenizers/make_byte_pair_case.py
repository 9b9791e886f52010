"""Writes the ids and texts of Hugging Face's `tokenizers` that the tests compare with.

    python tests/models/tokenizers/make_byte_pair_case.py

Requires transformers (written with 5.24.0), which assembles the tokenizers of GPT-2 and CLIP.
The tokenizer "digits" is that of GPT-2 with the digits of SmolLM2.
"""

import json
import random
from pathlib import Path

from make_word_piece_case import TEXTS, WORDS
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
from transformers import CLIPTokenizer, GPT2Tokenizer

from keras_mmfusion.models.tokenizers.byte_pair_tokenizer import make_byte_characters

MORE = [
    "It's  a dog   \n\n runs\n 's \n's 'sam we'll !'s ''s I'M",
    "trailing space ",
    " <|endoftext|>a dog<|endoftext|> <|startoftext|>b <|ENDOFTEXT|>",
    "123 4 ½ ² Ⅷ a1b2 $5.00",
    "tab\t\tb \xa0 c\u3000d \x1c e",
]
CHARACTERS = "abcdefgxyzABCDEÉé ß中.,!?'-#[]\t\n Σ019smtd"


def learn_merges(words, suffix):
    """Merges the characters of each word from the left, so that words become tokens."""
    merges = []
    for word in words:
        symbols = list("".join(make_byte_characters()[byte] for byte in word.encode()))
        symbols[-1] += suffix
        while len(symbols) > 1:
            merges.append((symbols[0], symbols[1]))
            symbols[:2] = ["".join(symbols[:2])]
    return list(dict.fromkeys(merges))


def main():
    random_texts = random.Random(0)
    texts = TEXTS + MORE
    texts += [
        "".join(random_texts.choice(CHARACTERS) for _ in range(random_texts.randint(0, 40)))
        for _ in range(100)
    ]
    case = {"texts": texts}
    for name, suffix in (("gpt2", ""), ("digits", ""), ("clip", "</w>")):
        words = WORDS if name == "clip" else [*WORDS, *(f" {word}" for word in WORDS)]
        if name == "digits":
            words += ["12", "19", " 1", "  ", "\n\n"]  # Tokens that digits and spaces may form.
        merges = learn_merges(words, suffix)
        characters = make_byte_characters()
        vocabulary = [*characters, *(f"{c}{suffix}" for c in characters)]
        vocabulary += ["".join(merge) for merge in merges] + ["<|startoftext|>", "<|endoftext|>"]
        vocabulary = list(dict.fromkeys(vocabulary))
        tokenizer_class = CLIPTokenizer if name == "clip" else GPT2Tokenizer
        ids = {token: index for index, token in enumerate(vocabulary)}
        tokenizer = tokenizer_class(vocab=ids, merges=merges)
        if name == "digits":
            steps = [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
            tokenizer.backend_tokenizer.pre_tokenizer = Sequence(steps)
        encoded = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        special = [ids["<|startoftext|>"], ids["<|endoftext|>"]]
        decoded_ids = [[i for i in row if i not in special] for row in encoded]
        case[name] = {
            "merges": [" ".join(merge) for merge in merges],
            "tokens": [token for token in vocabulary if token not in characters],
            "ids": encoded,
            "decoded_ids": decoded_ids,
            "decoded": [tokenizer.decode(row) for row in decoded_ids],
        }
    path = Path(__file__).parent / "data" / "byte_pair.json"
    path.write_text(json.dumps(case, ensure_ascii=False), "utf-8")
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
