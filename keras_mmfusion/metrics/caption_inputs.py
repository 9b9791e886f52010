"""What every caption metric takes: image ids, references and candidates, checked in one place."""

from collections.abc import Mapping

_LISTED_IDS = 20


def list_ids(ids):
    """Writes ids for an error message, the first 20 in full.

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
    """Strings as a list; one string is a list of one, not of its characters.

    Args:
        strings: iterable of strings, or a string.

    Raises:
        TypeError: if there is something else.

    Example:

    >>> as_list("a dog"), as_list(("a dog", "a cat"))
    (['a dog'], ['a dog', 'a cat'])
    """
    if isinstance(strings, str):
        return [strings]
    entries = list(strings) if hasattr(strings, "__iter__") else [strings]
    wrong = [entry for entry in entries if not isinstance(entry, str)]
    if wrong:
        raise TypeError(f"There must be strings. Received: {wrong[0]!r:.80} in {strings!r:.80}")
    return entries


def check_references(references):
    """Checks that `references` maps each image id to one or more captions.

    Args:
        references: dict of image id -> list of captions; a caption is a string or a sequence of
            tokens.

    Raises:
        TypeError: if it is no dict, or an image's captions are one bare string.
        ValueError: if it is empty or images have no caption; the message lists them.

    Example:

    >>> check_references({7: []})
    Traceback (most recent call last):
    ValueError: `references` has no caption for these image ids: 7. Leave these images out.
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
            "`references` must map an image id to a list of captions; these image ids have one "
            f"bare string: {list_ids(bare)}. Put it in a list."
        )
    none = [i for i, captions in references.items() if not hasattr(captions, "__len__")]
    if none:
        raise TypeError(
            "`references` must map an image id to a list of captions; these image ids have none: "
            f"{list_ids(none)}."
        )
    empty = [i for i, captions in references.items() if not len(captions)]
    if empty:
        raise ValueError(
            f"`references` has no caption for these image ids: {list_ids(empty)}. "
            "Leave these images out."
        )


def check_words(references):
    """Checks that each image has a reference with a word in it.

    Args:
        references: dict of image id -> list of captions, tokenized.

    Raises:
        ValueError: if the captions of images have no token at all; the message lists the images.

    Example:

    >>> check_words({7: ["", ""]})
    Traceback (most recent call last):
    ValueError: `references` has no caption with a word for these image ids: 7. ...
    """
    wordless = [i for i, each in references.items() if not any(map(split_tokens, each))]
    if wordless:
        raise ValueError(
            "`references` has no caption with a word for these image ids: "
            f"{list_ids(wordless)}. Leave these images out, or repair their captions."
        )


def check_captions(references, candidates):
    """Checks that references and candidates are for the same images.

    Args:
        references: dict of image id -> list of captions.
        candidates: dict of image id -> one caption.

    Raises:
        TypeError: if either is no dict, or an image's references are one bare string.
        ValueError: if an image is in one of them only; the message lists these ids.

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


def token_types(captions):
    """A token of each type, with which `check_comparable` tells words from ids.

    Args:
        captions: iterable of captions.

    Returns:
        A list of tokens.

    Example:

    >>> token_types(["a dog", "a cat"]), token_types([[3, 4], ["a"]])
    (['cat'], [4, 'a'])
    """
    return list({type(token): token for each in captions for token in split_tokens(each)}.values())


def split_tokens(caption):
    """Tokens of one caption: a string is split at white space, a sequence of tokens is kept.

    Args:
        caption: string of tokens between spaces, or a sequence of hashable tokens (words or ids).

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
        "a caption must be a string or a list of tokens, "
        f"not {type(caption).__name__}: {caption!r:.80}"
    )
