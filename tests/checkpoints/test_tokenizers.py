"""Tokenizers from the file variants of checkpoints."""

import json

import pytest

from keras_mmfusion.checkpoints.checkpoint_assets import CheckpointAssets
from keras_mmfusion.checkpoints.tokenizers import (
    build_clip_tokenizer,
    build_gpt2_tokenizer,
    build_word_piece_tokenizer,
)
from keras_mmfusion.models.tokenizers.byte_pair_tokenizer import make_byte_characters

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "É", "e", "dog"]


def write_json(folder, name, content):
    (folder / name).write_text(json.dumps(content), "utf-8")


def make_bert_json(lowercase=True, tokens=TOKENS):
    return {
        "added_tokens": [{"id": i, "content": token} for i, token in enumerate(tokens[:5])],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": lowercase,
        },
        "model": {"type": "WordPiece", "vocab": {t: i for i, t in enumerate(tokens)}},
    }


def test_vocab_txt_and_tokenizer_json_give_the_same_tokenizer(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(), second.mkdir()
    (first / "vocab.txt").write_text("\n".join(TOKENS) + "\n", "utf-8")
    write_json(second, "tokenizer.json", make_bert_json())
    for folder in (first, second):
        tokenizer = build_word_piece_tokenizer(CheckpointAssets(folder))
        assert tokenizer.get_vocabulary() == TOKENS
        assert tokenizer("A dog É[SEP]") == [5, 8, 7, 3]
        assert (tokenizer.start_token_id, tokenizer.end_token_id) == (2, 3)


def test_settings_of_case_are_read(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(), second.mkdir()
    (first / "vocab.txt").write_text("\n".join(TOKENS), "utf-8")
    write_json(first, "tokenizer_config.json", {"do_lower_case": False})
    write_json(second, "tokenizer.json", make_bert_json(lowercase=False))
    for folder in (first, second):
        assert build_word_piece_tokenizer(CheckpointAssets(folder))("É A") == [6, 1]


def test_extra_tokens_follow_the_vocabulary_and_are_not_found_in_text(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(TOKENS), "utf-8")
    tokenizer = build_word_piece_tokenizer(
        CheckpointAssets(tmp_path), start_token="[DEC]", extra_tokens=("[DEC]", "[ENC]")
    )
    assert (tokenizer.start_token_id, tokenizer.vocabulary_size()) == (9, 11)
    assert 9 not in tokenizer("[DEC] dog")
    assert tokenizer.detokenize([9, 5, 8, 3]) == "a dog"


def test_missing_and_other_files_raise(tmp_path):
    with pytest.raises(ValueError, match=r"must have tokenizer.json or vocab.txt"):
        build_word_piece_tokenizer(CheckpointAssets(tmp_path))
    write_json(tmp_path, "tokenizer.json", {"model": {"type": "BPE", "vocab": {}}})
    with pytest.raises(ValueError, match="must contain a WordPiece model"):
        build_word_piece_tokenizer(CheckpointAssets(tmp_path))
    for content in ([], {}, {"model": {}}):
        write_json(tmp_path, "tokenizer.json", content)
        with pytest.raises(ValueError, match="must have a `model` with a `vocab`"):
            build_word_piece_tokenizer(CheckpointAssets(tmp_path))
    content = make_bert_json()
    content["model"]["vocab"]["gap"] = 20
    write_json(tmp_path, "tokenizer.json", content)
    with pytest.raises(ValueError, match="must be 0 to 9"):
        build_word_piece_tokenizer(CheckpointAssets(tmp_path))


@pytest.mark.parametrize("suffix", ["", "</w>"])
def test_byte_pair_files_give_the_same_tokenizer(tmp_path, suffix):
    build = build_clip_tokenizer if suffix else build_gpt2_tokenizer
    special = ["<|startoftext|>", "<|endoftext|>"][0 if suffix else 1 :]
    characters = make_byte_characters()
    tokens = [*characters, *(f"{c}{suffix}" for c in characters), "do", f"dog{suffix}", *special]
    ids = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(), second.mkdir()
    write_json(first, "vocab.json", ids)
    (first / "merges.txt").write_text(f"#version: 0.2\nd o\ndo g{suffix}\n", "utf-8")
    model = {"type": "BPE", "vocab": ids, "end_of_word_suffix": suffix}
    model["merges"] = [["d", "o"], ["do", f"g{suffix}"]]
    added = [{"id": ids[token], "content": token} for token in special]
    write_json(second, "tokenizer.json", {"model": model, "added_tokens": added})
    for folder in (first, second):
        tokenizer = build(CheckpointAssets(folder))
        assert tokenizer("dog<|endoftext|>") == [ids[f"dog{suffix}"], ids["<|endoftext|>"]]
        assert tokenizer.start_token_id == ids[special[0]]
        assert tokenizer.get_vocabulary() == list(ids)
    other = build_gpt2_tokenizer if suffix else build_clip_tokenizer
    with pytest.raises(ValueError, match="must contain a BPE model with the suffix"):
        other(CheckpointAssets(second))
