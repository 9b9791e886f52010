"""Words of texts and what replaces them."""

import numpy as np


def list_tokens(tokenizer, ids):
    """Returns the token of each id, a list of strings."""
    # "Ġ" stands for a space in the vocabulary of GPT-2.
    return [str(tokenizer.id_to_token(int(each))).replace("Ġ", " ").strip() for each in ids]


def find_removal_id(tokenizer):
    """Returns the id that replaces removed words, and a string that states which one it is.

    The mask token of BERT if the vocabulary has it, else the token of unknown words, else the
    padding.
    """
    if "[MASK]" in getattr(tokenizer, "special_tokens", ()):
        return int(tokenizer.token_to_id("[MASK]")), "replaced by the mask token"
    for name, text in (
        ("mask_token_id", "mask token"),
        ("unknown_token_id", "token of unknown words"),
        ("pad_token_id", "padding"),
    ):
        token_id = getattr(tokenizer, name, None)
        if token_id is not None:
            return int(token_id), f"replaced by the {text}"
    raise ValueError(
        f"The tokenizer {type(tokenizer).__name__} has no token that can replace removed words: "
        "no `mask_token_id`, `unknown_token_id` or `pad_token_id`."
    )


def find_word(tokenizer, ids, word):
    """Finds the first tokens of a text that make up a word.

    Args:
        tokenizer: the tokenizer of the text.
        ids: int array `(tokens,)`.
        word: string, or int: the index of one token.

    Returns:
        Slice of `ids`.

    Raises:
        ValueError: if the text does not contain the word.
    """
    if isinstance(word, (int, np.integer)) and not isinstance(word, bool):
        if 0 <= word < len(ids):
            return slice(int(word), int(word) + 1)
    elif isinstance(word, str) and word.strip():
        # In a byte-pair vocabulary, a word has other tokens after a space.
        for text in (word, f" {word}"):
            tokens = [int(each) for each in tokenizer([text])[0]]
            for start in range(len(ids) - len(tokens) + 1):
                if tokens and list(ids[start : start + len(tokens)]) == tokens:
                    return slice(start, start + len(tokens))
    raise ValueError(
        "`target` must be a word of the caption, or the index of one of its tokens "
        f"{list_tokens(tokenizer, ids)}. Received: {word!r}"
    )
