"""Tokenizers from the files of checkpoints."""

import base64
import binascii
import re
import string

from keras_mmfusion.checkpoints.sentencepiece_file import NORMAL, read_sentencepiece
from keras_mmfusion.files.json_files import read_json
from keras_mmfusion.models.tokenizers.clip_tokenizer import ClipTokenizer
from keras_mmfusion.models.tokenizers.gpt2_tokenizer import Gpt2Tokenizer
from keras_mmfusion.models.tokenizers.siglip_tokenizer import SiglipTokenizer
from keras_mmfusion.models.tokenizers.word_piece_tokenizer import WordPieceTokenizer

_SIGLIP_STEPS = {"Lowercase", "punctuation", "spaces", "Strip"}
_BERT_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_ROBERTA_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def build_word_piece_tokenizer(assets, start_token="[CLS]", extra_tokens=()):
    """Builds BERT's tokenizer from `tokenizer.json` or `vocab.txt`.

    Args:
        assets: `CheckpointAssets`.
        start_token: string. The first token of a generated text, for BLIP `"[DEC]"`.
        extra_tokens: strings. Tokens of the model that the files may lack, such as BLIP's
            `"[DEC]"` and `"[ENC]"`. They are appended and are not found in texts.

    Returns:
        A `WordPieceTokenizer`.

    Raises:
        ValueError: if there is no such file, or it describes another tokenizer.
    """
    path = assets.require_path("tokenizer.json", "vocab.txt")
    if path.name == "vocab.txt":
        lines = path.read_text("utf-8").removesuffix("\n").split("\n")
        tokens = [line.removesuffix("\r") for line in lines]
        special_tokens, settings = list(_BERT_TOKENS), _read_bert_config(assets.tokenizer_config)
    else:
        tokens, special_tokens, settings = _read_bert_json(_read_tokenizer_json(path), path)
    tokens += [token for token in extra_tokens if token not in tokens]
    return WordPieceTokenizer(
        tokens, start_token=start_token, special_tokens=special_tokens, **settings
    )


def build_gpt2_tokenizer(assets):
    """Builds GPT-2's tokenizer from `tokenizer.json`, or `vocab.json` and `merges.txt`.

    Args:
        assets: `CheckpointAssets`.

    Returns:
        A `Gpt2Tokenizer`.

    Raises:
        ValueError: if the files are missing or describe another tokenizer.
    """
    return _build_gpt2_tokenizer(assets, ("<|endoftext|>",))


def build_roberta_tokenizer(assets):
    """Builds RoBERTa's tokenizer from `tokenizer.json`, or `vocab.json` and `merges.txt`.

    Args:
        assets: `CheckpointAssets`.

    Returns:
        A `Gpt2Tokenizer` whose special tokens are those of RoBERTa.

    Raises:
        ValueError: if the files are missing or describe another tokenizer.
    """
    return _build_gpt2_tokenizer(
        assets,
        _ROBERTA_TOKENS,
        start_token="<s>",
        end_token="</s>",
        pad_token="<pad>",
        unknown_token="<unk>",
    )


def _build_gpt2_tokenizer(assets, special_tokens, **named_tokens):
    tokens, merges, special_tokens = _read_byte_pairs(assets, special_tokens, "")
    if assets.tokenizer_config.get("add_prefix_space", False):
        raise ValueError("Tokenizers with `add_prefix_space=true` are not supported.")
    return Gpt2Tokenizer(tokens, merges, special_tokens=special_tokens, **named_tokens)


def build_clip_tokenizer(assets):
    """Builds CLIP's tokenizer from `tokenizer.json`, or `vocab.json` and `merges.txt`.

    Args:
        assets: `CheckpointAssets`.

    Returns:
        A `ClipTokenizer`, with the padding token of `tokenizer_config.json`.

    Raises:
        ValueError: if the files are missing or describe another tokenizer.
    """
    special_tokens = ("<|startoftext|>", "<|endoftext|>")
    tokens, merges, special_tokens = _read_byte_pairs(assets, special_tokens, "</w>")
    pad_token = get_content(assets.tokenizer_config.get("pad_token") or "<|endoftext|>")
    return ClipTokenizer(tokens, merges, pad_token=pad_token, special_tokens=special_tokens)


def build_siglip_tokenizer(assets):
    """Builds SigLIP's tokenizer from `spiece.model` or, if there is none, `tokenizer.json`.

    Args:
        assets: `CheckpointAssets`.

    Returns:
        A `SiglipTokenizer`, with the special tokens of `tokenizer_config.json`.

    Raises:
        ValueError: if the files are missing or describe another tokenizer.
    """
    path = assets.require_path("spiece.model", "tokenizer.json")
    config = assets.tokenizer_config
    if path.name == "spiece.model":
        file = read_sentencepiece(path)
        vocabulary = [
            (piece, score if kind == NORMAL else None) for piece, score, kind in file.pieces
        ]
        settings = {
            "character_map": file.character_map,
            "add_dummy_prefix": file.add_dummy_prefix,
            "remove_extra_whitespaces": file.remove_extra_whitespaces,
            "lowercase": config.get("do_lower_case", True),
        }
    else:
        vocabulary, settings = _read_unigram_json(_read_tokenizer_json(path), path)
    end, unknown = (
        get_content(config.get(name, default))
        for name, default in (("eos_token", "</s>"), ("unk_token", "<unk>"))
    )
    pad = get_content(config.get("pad_token", end))
    special_tokens = tuple(dict.fromkeys((end, unknown, pad)))
    return SiglipTokenizer(
        vocabulary,
        end_token=end,
        pad_token=pad,
        unknown_token=unknown,
        special_tokens=special_tokens,
        **settings,
    )


def get_content(token):
    """Returns the string of a token in `tokenizer_config.json`, which may have attributes."""
    return token["content"] if isinstance(token, dict) else token


def _read_unigram_json(content, path):
    """Returns the vocabulary and the settings of SigLIP's `tokenizer.json`."""
    model = content["model"]
    normalizer = content.get("normalizer") or {}
    steps = normalizer.get("normalizers", [normalizer])
    kinds = [_name_step(step) for step in steps]
    # The character map follows the other steps, whose order does not matter.
    are_known = set(kinds[:-1]) <= _SIGLIP_STEPS and kinds[-1] in {*_SIGLIP_STEPS, "Precompiled"}
    is_unigram = model.get("type") == "Unigram" and not model.get("byte_fallback")
    is_metaspace = (content.get("pre_tokenizer") or {}).get("type") == "Metaspace"
    if not (is_unigram and are_known and {"punctuation", "Strip"} <= set(kinds) and is_metaspace):
        raise ValueError(
            f"{str(path)!r} must contain a Unigram model and the normalizer of SigLIP, which "
            "removes punctuation."
        )
    reserved = {token["content"] for token in content.get("added_tokens", ())}
    reserved.add(model["vocab"][model["unk_id"]][0])
    vocabulary = [(piece, None if piece in reserved else score) for piece, score in model["vocab"]]
    character_map = steps[-1].get("precompiled_charsmap") or ""
    try:
        character_map = base64.b64decode(character_map, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{str(path)!r} has a damaged `precompiled_charsmap`.") from error
    settings = {
        "character_map": character_map,
        "add_dummy_prefix": False,
        "remove_extra_whitespaces": False,
        "lowercase": "Lowercase" in kinds,
        "library": "tokenizers",
    }
    return vocabulary, settings


def _name_step(step):
    """Returns the type of a step of a normalizer; that of `Replace` is what it replaces."""
    if step.get("type") != "Replace":
        return step.get("type")
    pattern = step["pattern"].get("Regex") or re.escape(step["pattern"]["String"])
    content = step["content"]
    if content == " " and re.sub(pattern, content, "a  b") == "a b":
        return "spaces"
    text = f"a{string.punctuation}\u00a1\u2581 1"
    return "punctuation" if re.sub(pattern, content, text) == "a\u00a1\u2581 1" else "Replace"


def read_byte_pairs(assets):
    """Returns the content of `tokenizer.json`, or what `vocab.json` and `merges.txt` mean.

    Args:
        assets: `CheckpointAssets`.

    Returns:
        A dict with the entry `"model"`, which has a `"vocab"`, and `"merges"` if it is a BPE model.
    """
    path = assets.require_path("tokenizer.json", "vocab.json")
    if path.name == "tokenizer.json":
        return _check_tokenizer(assets.read_json(path.name), path)
    lines = assets.require_path("merges.txt").read_text("utf-8").splitlines()
    merges = [line for line in lines if line and not line.startswith("#version")]
    return {"model": {"vocab": assets.read_json(path.name), "merges": merges}}


def _read_byte_pairs(assets, special_tokens, word_suffix):
    """Returns the tokens, the merges and the tokens found in texts."""
    content = read_byte_pairs(assets)
    path = assets.require_path("tokenizer.json", "vocab.json")
    model = content["model"]
    if path.name == "tokenizer.json":
        suffix = model.get("end_of_word_suffix") or ""
        is_bpe = model.get("type", "BPE") == "BPE" and "merges" in model
        if not is_bpe or suffix != word_suffix:
            raise ValueError(
                f"{str(path)!r} must contain a BPE model with the suffix {word_suffix!r}."
            )
    tokens, added = read_tokens(content, path)
    return tokens, model["merges"], added or special_tokens


def _read_tokenizer_json(path):
    return _check_tokenizer(read_json(path), path)


def _check_tokenizer(content, path):
    model = content.get("model") if isinstance(content, dict) else None
    if not isinstance(model, dict) or "vocab" not in model:
        raise ValueError(f"{str(path)!r} must have a `model` with a `vocab`.")
    return content


def _read_bert_config(config):
    return {
        "lowercase": config.get("do_lower_case", True),
        "strip_accents": config.get("strip_accents"),
        "split_ideographs": config.get("tokenize_chinese_chars", True),
    }


def _read_bert_json(content, path):
    model, normalizer = content["model"], content.get("normalizer") or {}
    if model.get("type", "WordPiece") != "WordPiece" or normalizer.get("type") != "BertNormalizer":
        raise ValueError(f"{str(path)!r} must contain a WordPiece model and a BertNormalizer.")
    tokens, special_tokens = read_tokens(content, path)
    settings = {
        "lowercase": normalizer["lowercase"],
        "strip_accents": normalizer["strip_accents"],
        "split_ideographs": normalizer["handle_chinese_chars"],
    }
    return tokens, special_tokens, settings


def read_tokens(content, path):
    """Returns the tokens of a `tokenizer.json`, ordered by id, and the added tokens among them."""
    ids = dict(content["model"]["vocab"])
    added = {token["content"]: token["id"] for token in content.get("added_tokens", ())}
    ids |= added
    tokens = sorted(ids, key=ids.get)
    if [ids[token] for token in tokens] != list(range(len(tokens))):
        raise ValueError(f"The token ids in {str(path)!r} must be 0 to {len(tokens) - 1}.")
    return tokens, list(added)
