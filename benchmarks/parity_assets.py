"""Writes tokenizers and image processors with invented vocabularies for the cases of parity.py."""

import json
import pathlib
import re
import string

from parity_cases import BERT_IDS, PAD


def write_assets(case, size, folder):
    """Writes the files of the tokenizer and the image processor of a checkpoint."""
    folder = pathlib.Path(folder)
    if case.processor is not None:
        _write_processor(case, size, folder)
    _TOKENIZERS[case.tokenizer](case, size, folder, case.get_vocabulary_size(size))


def _write_processor(case, size, folder):
    pixels = case.get_image_size(size)
    settings = {"height": pixels, "width": pixels}
    processor = {"image_processor_type": f"{case.processor}ImageProcessor", "size": settings}
    if case.processor == "CLIP":
        processor |= {"size": {"shortest_edge": pixels}, "crop_size": settings}
    elif case.processor == "Vilt":
        patch = case.sizes[size]["patch_size"]
        processor |= {"size": {"shortest_edge": pixels}, "size_divisor": patch}
    _write_json(folder / "preprocessor_config.json", processor)


def _write_json(path, value):
    path.write_text(json.dumps(value), "utf-8")


def _write_word_pieces(case, size, folder, count):
    if case.tokenizer == "blip":
        count -= 2  # [DEC] and [ENC] are not in the file.
    tokens = [f"w{index}" for index in range(count)]
    tokens[PAD] = "[PAD]"
    for index, token in zip(BERT_IDS[size], ("UNK", "CLS", "SEP", "MASK"), strict=True):
        tokens[index] = f"[{token}]"
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", "utf-8")


def _write_byte_pairs(case, size, folder, count):
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [256 + index for index in range(256 - len(printable))]
    characters = [chr(code) for code in (*printable, *others)]
    first, last = [], ["<|endoftext|>"]
    if case.tokenizer == "clip":
        characters += [f"{character}</w>" for character in characters]
        last = ["<|startoftext|>", *last]
    elif case.tokenizer == "roberta":
        first, last = ["<s>", "<pad>", "</s>", "<unk>"], ["<mask>"]
    elif case.tokenizer == "smollm2":
        first, last = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], []
    fill = [f"w{index}" for index in range(count - len([*first, *characters, *last]))]
    tokens = [*first, *characters, *fill, *last]
    _write_json(folder / "vocab.json", {token: index for index, token in enumerate(tokens)})
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")


def _write_unigram(case, size, folder, count):
    """Writes a `tokenizer.json` with the steps of SigLIP's normalizer."""
    special = ["<pad>", "</s>", "<unk>"]
    pieces = [*special, *(f"\u2581w{index}" for index in range(count - len(special)))]
    punctuation = {"Regex": f"[{re.escape(string.punctuation)}]"}
    steps = [
        {"type": "Lowercase"},
        {"type": "Replace", "pattern": punctuation, "content": ""},
        {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
        {"type": "Strip"},
    ]
    tokenizer = {
        "model": {
            "type": "Unigram",
            "unk_id": special.index("<unk>"),
            "vocab": [[piece, -1.0] for piece in pieces],
        },
        "normalizer": {"type": "Sequence", "normalizers": steps},
        "pre_tokenizer": {"type": "Metaspace"},
        "added_tokens": [{"content": token, "id": id} for id, token in enumerate(special)],
    }
    _write_json(folder / "tokenizer.json", tokenizer)


_TOKENIZERS = {
    "bert": _write_word_pieces,
    "blip": _write_word_pieces,
    "clip": _write_byte_pairs,
    "gpt2": _write_byte_pairs,
    "roberta": _write_byte_pairs,
    "siglip": _write_unigram,
    "smollm2": _write_byte_pairs,
}
