"""The tokenizer and the chat template of a language model from the files of a checkpoint."""

import warnings

from keras_mmfusion.checkpoints.chat_templates import read_chat_template
from keras_mmfusion.checkpoints.tokenizers import get_content, read_byte_pairs, read_tokens
from keras_mmfusion.models.language.language_preprocessor import LanguagePreprocessor
from keras_mmfusion.models.tokenizers.gpt2_tokenizer import Gpt2Tokenizer

SEQUENCE_LENGTH = 1024  # KerasHub's default.
_DEFAULT_TOKEN = "<|endoftext|>"
_DIGITS = {"type": "Digits", "individual_digits": True}


class UnsupportedTokenizerError(ValueError):
    """A checkpoint has a tokenizer that `Gpt2Tokenizer` does not implement."""


def build_language_preprocessor(assets, vocabulary_size, context_length):
    """Builds the preprocessor of a language model.

    Args:
        assets: `CheckpointAssets`.
        vocabulary_size: int. The number of tokens of the model.
        context_length: int. The largest number of tokens of the model.

    Returns:
        A `LanguagePreprocessor`; or `None` if the checkpoint has no tokenizer or, with a warning,
        if it is not supported.

    Raises:
        ValueError: if a file is damaged, or the tokenizer has more tokens than the model.
    """
    if assets.get_path("tokenizer.json", "vocab.json", "tokenizer.model") is None:
        return None
    try:
        tokenizer, add_start_token = build_language_tokenizer(assets)
    except UnsupportedTokenizerError as error:
        warnings.warn(f"The model has no preprocessor: {error}", stacklevel=2)
        return None
    if tokenizer.vocabulary_size() > vocabulary_size:
        raise ValueError(
            f"The tokenizer in {str(assets.folder)!r} has {tokenizer.vocabulary_size()} tokens, "
            f"but the model has `vocab_size` {vocabulary_size}."
        )
    return LanguagePreprocessor(
        tokenizer,
        sequence_length=min(SEQUENCE_LENGTH, context_length),
        chat_template=read_chat_template(assets),
        add_start_token=add_start_token,
    )


def build_language_tokenizer(assets):
    """Builds the tokenizer of a language model from `tokenizer.json`, or older files.

    Args:
        assets: `CheckpointAssets`.

    Returns:
        A tuple of a `Gpt2Tokenizer`, and whether the start token begins a text.

    Raises:
        UnsupportedTokenizerError: if it is not the tokenizer of GPT-2 or SmolLM2.
        ValueError: if a file is damaged.
    """
    path = assets.get_path("tokenizer.json", "vocab.json")
    if path is None:
        raise UnsupportedTokenizerError(
            f"{str(assets.folder)!r} has no tokenizer.json, but another kind of tokenizer."
        )
    content = read_byte_pairs(assets)
    split_digits = _read_split_digits(content, path)
    tokens, added = read_tokens(content, path)
    names = _read_named_tokens(assets)
    special_tokens = added or [_DEFAULT_TOKEN]
    tokenizer = Gpt2Tokenizer(
        tokens,
        content["model"]["merges"],
        **names,
        special_tokens=special_tokens,
        split_digits=split_digits,
    )
    return tokenizer, _read_add_start_token(content, assets)


def _read_named_tokens(assets):
    """Returns the start, end, padding and unknown token as arguments of a tokenizer."""
    settings = {**assets.read_json("special_tokens_map.json"), **assets.tokenizer_config}
    names = {name: get_content(settings.get(f"{name}_token")) for name in ("bos", "eos", "pad")}
    end = names["eos"] or _DEFAULT_TOKEN
    return {
        "start_token": names["bos"] or end,
        "end_token": end,
        "pad_token": names["pad"] or end,
        "unknown_token": get_content(settings.get("unk_token")) or end,
    }


def _read_split_digits(content, path):
    """Returns whether digits are split; raises an error for other tokenizers than GPT-2's."""
    model, steps = content["model"], content.get("pre_tokenizer") or {"type": "ByteLevel"}
    steps = steps.get("pretokenizers", [steps])
    split_digits = {**steps[0], **_DIGITS} == steps[0]
    rest = steps[1:] if split_digits else steps
    problem = None
    if model.get("type", "BPE") != "BPE" or model.get("byte_fallback"):
        problem = f"a model of type {model.get('type')!r}"
    elif [step.get("type") for step in rest] != ["ByteLevel"] or not rest[0].get("use_regex", True):
        problem = f"the pre-tokenizer {steps}"
    elif rest[0].get("add_prefix_space") or content.get("normalizer"):
        problem = "a normalizer or `add_prefix_space`"
    elif model.get("ignore_merges") or model.get("end_of_word_suffix"):
        problem = "`ignore_merges` or `end_of_word_suffix`"
    if problem:
        raise UnsupportedTokenizerError(
            f"{str(path)!r} has {problem}; supported are the tokenizers of GPT-2 and SmolLM2."
        )
    return split_digits


def _read_add_start_token(content, assets):
    """Returns whether the source adds its start token to texts."""
    step = content.get("post_processor") or {}
    if step.get("type") == "TemplateProcessing":
        return "SpecialToken" in step["single"][0]
    return bool(assets.tokenizer_config.get("add_bos_token"))
