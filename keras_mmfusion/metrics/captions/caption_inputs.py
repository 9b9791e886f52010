"""Checks image ids, references and candidates for all caption metrics."""

from collections.abc import Mapping

_LISTED_IDS = 20


def list_ids(ids):
    """Formats ids for an error message; at most 20 are shown.

    Args:
        ids: iterable of image ids.

    Returns:
        A string.

    Example:

    >>> list_ids([3, 4])
    '3, 4'
    """
    ids = list(ids)
    text = ", ".join(repr(i) for i in ids[:_LISTED_IDS])
    return text if len(ids) <= _LISTED_IDS else f"{text} and {len(ids) - _LISTED_IDS} more"


def as_list(strings):
    """Converts strings to a list; a single string becomes a list of one.

    Args:
        strings: iterable of strings, or a string.

    Raises:
        TypeError: if an entry is not a string.

    Example:

    >>> as_list("a dog"), as_list(("a dog", "a cat"))
    (['a dog'], ['a dog', 'a cat'])
    """
    if isinstance(strings, str):
        return [strings]
    entries = list(strings) if hasattr(strings, "__iter__") else [strings]
    wrong = [entry for entry in entries if not isinstance(entry, str)]
    if wrong:
        raise TypeError(f"Expected strings. Received: {wrong[0]!r:.80} in {strings!r:.80}")
    return entries


def check_references(references):
    """Checks that `references` maps each image id to one or more captions.

    Args:
        references: dict of image id -> list of captions; a caption is a string or a sequence of
            tokens.

    Raises:
        TypeError: if it is not a dict, or an image has a string instead of a list.
        ValueError: if it is empty or images have no captions; the message lists them.

    Example:

    >>> check_references({7: []})
    Traceback (most recent call last):
    ValueError: `references` has no caption for these image ids: 7. Remove these images.
    """
    if not isinstance(references, Mapping):
        raise TypeError(
            "`references` must be a dict of image id -> list of captions, "
            f"not {type(references).__name__}."
        )
    if not references:
        raise ValueError("`references` is empty; a score needs at least one image.")
    bare = [i for i, captions in references.items() if isinstance(captions, str)]
    if bare:
        raise TypeError(
            "`references` must map each image id to a list of captions; these image ids have a "
            f"string: {list_ids(bare)}. Put it in a list."
        )
    no_list = [i for i, captions in references.items() if not hasattr(captions, "__len__")]
    if no_list:
        raise TypeError(
            "`references` must map each image id to a list of captions; these image ids have no "
            f"list: {list_ids(no_list)}."
        )
    empty = [i for i, captions in references.items() if not len(captions)]
    if empty:
        raise ValueError(
            f"`references` has no caption for these image ids: {list_ids(empty)}. "
            "Remove these images."
        )


def check_words(references):
    """Checks that each image has a reference with at least one word.

    Args:
        references: dict of image id -> list of captions, tokenized.

    Raises:
        ValueError: if all captions of an image are empty; the message lists these images.

    Example:

    >>> check_words({7: ["", ""]})
    Traceback (most recent call last):
    ValueError: `references` has no caption with a word for these image ids: 7. ...
    """
    wordless = [i for i, each in references.items() if not any(map(split_tokens, each))]
    if wordless:
        raise ValueError(
            "`references` has no caption with a word for these image ids: "
            f"{list_ids(wordless)}. Remove these images, or correct their captions."
        )


def check_captions(references, candidates):
    """Checks that references and candidates are for the same images.

    Args:
        references: dict of image id -> list of captions.
        candidates: dict of image id -> one caption.

    Raises:
        TypeError: if either is not a dict, or an image has a string instead of a list.
        ValueError: if an image is in only one of them; the message lists these ids.

    Example:

    >>> check_captions({1: ["a dog"], 2: ["a cat"]}, {1: "a dog"})
    Traceback (most recent call last):
    ValueError: `candidates` lacks these image ids of `references`: 2.
    """
    check_references(references)
    if not isinstance(candidates, Mapping):
        raise TypeError(
            "`candidates` must be a dict of image id -> one caption, "
            f"not {type(candidates).__name__}."
        )
    problems = []
    missing = [i for i in references if i not in candidates]
    if missing:
        problems.append(f"`candidates` lacks these image ids of `references`: {list_ids(missing)}.")
    unknown = [i for i in candidates if i not in references]
    if unknown:
        problems.append(f"`candidates` has image ids that `references` lacks: {list_ids(unknown)}.")
    if problems:
        raise ValueError(" ".join(problems))


def sample_token_types(captions):
    """Returns one token of each type, for `check_comparable`.

    Args:
        captions: iterable of captions.

    Returns:
        A list of tokens.

    Example:

    >>> sample_token_types(["a dog", "a cat"]), sample_token_types([[3, 4], ["a"]])
    (['cat'], [4, 'a'])
    """
    return list({type(token): token for each in captions for token in split_tokens(each)}.values())


def split_tokens(caption):
    """Splits a caption at white space; a sequence of tokens is returned as it is.

    Args:
        caption: string of tokens separated by spaces, or a sequence of hashable tokens (words or
            ids).

    Returns:
        A list or tuple of tokens.

    Raises:
        TypeError: if `caption` is neither.

    Example:

    >>> split_tokens("a red ball")
    ['a', 'red', 'ball']
    """
    if isinstance(caption, str):
        return caption.split()
    if isinstance(caption, (list, tuple)):
        return caption
    if hasattr(caption, "tolist"):
        return caption.tolist()
    raise TypeError(
        "A caption must be a string or a list of tokens, "
        f"not {type(caption).__name__}: {caption!r:.80}"
    )
