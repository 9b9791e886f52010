"""The Snowball English stemmer ("Porter2"), as METEOR 1.5 uses it."""

_VOWELS = frozenset("aeiouy")
_DOUBLES = ("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt")
_LI_ENDINGS = frozenset("cdeghkmnrt")

_WHOLE_WORDS = {
    "skis": "ski",
    "skies": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "idly": "idl",
    "gently": "gentl",
    "ugly": "ugli",
    "early": "earli",
    "only": "onli",
    "singly": "singl",
    **{word: word for word in ("sky", "news", "howe", "atlas", "cosmos", "bias", "andes")},
}
_KEPT_AFTER_PLURAL = frozenset(
    ("inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed")
)

_STEP_2 = {
    "tional": "tion",
    "enci": "ence",
    "anci": "ance",
    "abli": "able",
    "entli": "ent",
    "izer": "ize",
    "ization": "ize",
    "ational": "ate",
    "ation": "ate",
    "ator": "ate",
    "alism": "al",
    "aliti": "al",
    "alli": "al",
    "fulness": "ful",
    "ousli": "ous",
    "ousness": "ous",
    "iveness": "ive",
    "iviti": "ive",
    "biliti": "ble",
    "bli": "ble",
    "ogi": "og",
    "fulli": "ful",
    "lessli": "less",
    "li": "",
}
_STEP_3 = {
    "tional": "tion",
    "ational": "ate",
    "alize": "al",
    "icate": "ic",
    "iciti": "ic",
    "ical": "ic",
    "ful": "",
    "ness": "",
    "ative": "",
}
_STEP_4 = frozenset(
    (
        *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent"),
        *("ism", "ate", "iti", "ous", "ive", "ize", "ion"),
    )
)


def stem_english(word):
    """Stems a lower-case English word.

    Args:
        word: string, lower-case.

    Returns:
        string.

    Example:

    >>> [stem_english(word) for word in ("running", "generously", "realization", "dogs'")]
    ['run', 'generous', 'realiz', 'dog']

    Reference: Porter, "The English (Porter2) stemming algorithm", snowballstem.org (2002).
    """
    if word in _WHOLE_WORDS:
        return _WHOLE_WORDS[word]
    if len(word) < 3:
        return word
    word = _mark_consonant_y(word.removeprefix("'"))
    region_1, region_2 = _find_regions(word)
    word = _strip_plural(word)
    if word not in _KEPT_AFTER_PLURAL:
        word = _strip_past_and_gerund(word, region_1)
        if len(word) > 2 and word[-1] in "yY" and word[-2] not in _VOWELS:
            word = word[:-1] + "i"
        word = _strip_suffixes(word, region_1, region_2)
        word = _strip_final_letter(word, region_1, region_2)
    return word.replace("Y", "y")


def _mark_consonant_y(word):
    """Replaces each y that is a consonant (at the start or after a vowel) with Y."""
    if "y" not in word:
        return word
    letters = list(word)
    for index, letter in enumerate(letters):
        if letter == "y" and (index == 0 or letters[index - 1] in _VOWELS):
            letters[index] = "Y"
    return "".join(letters)


def _find_regions(word):
    """Returns the starts of R1 and R2, each after the first consonant that follows a vowel."""
    region_1 = next((len(p) for p in ("gener", "commun", "arsen") if word.startswith(p)), None)
    if region_1 is None:
        region_1 = _skip_vowel_consonant(word, 0)
    return region_1, _skip_vowel_consonant(word, region_1)


def _skip_vowel_consonant(word, start):
    for index in range(start + 1, len(word)):
        if word[index] not in _VOWELS and word[index - 1] in _VOWELS:
            return index + 1
    return len(word)


def _has_vowel(text):
    return not _VOWELS.isdisjoint(text)


def _ends_short(word):
    """Returns whether the word ends in a short syllable, such as "rap" in "trap"."""
    if len(word) == 2:
        return word[0] in _VOWELS and word[1] not in _VOWELS
    return (
        len(word) > 2
        and word[-1] not in _VOWELS
        and word[-1] not in "wxY"
        and word[-2] in _VOWELS
        and word[-3] not in _VOWELS
    )


def _find_suffix(word, suffixes):
    for length in range(min(7, len(word)), 0, -1):
        if word[-length:] in suffixes:
            return word[-length:]
    return ""


def _strip_plural(word):
    word = word[: len(word) - len(_find_suffix(word, ("'s'", "'s", "'")))]
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")) and _has_vowel(word[:-2]):
        return word[:-1]
    return word


def _strip_past_and_gerund(word, region_1):
    suffix = _find_suffix(word, ("eed", "eedly", "ed", "edly", "ing", "ingly"))
    if not suffix:
        return word
    stem = word[: -len(suffix)]
    if suffix.startswith("eed"):
        return stem + "ee" if len(stem) >= region_1 else word
    if not _has_vowel(stem):
        return word
    if stem.endswith(("at", "bl", "iz")):
        return stem + "e"
    if stem.endswith(_DOUBLES):
        return stem[:-1]
    if len(stem) == region_1 and _ends_short(stem):
        return stem + "e"
    return stem


def _strip_suffixes(word, region_1, region_2):
    suffix = _find_suffix(word, _STEP_2)
    stem = word[: len(word) - len(suffix)]
    allowed = {"ogi": stem.endswith("l"), "li": stem[-1:] in _LI_ENDINGS}
    if suffix and len(stem) >= region_1 and allowed.get(suffix, True):
        word = stem + _STEP_2[suffix]

    suffix = _find_suffix(word, _STEP_3)
    stem = word[: len(word) - len(suffix)]
    if suffix and len(stem) >= (region_2 if suffix == "ative" else region_1):
        word = stem + _STEP_3[suffix]

    suffix = _find_suffix(word, _STEP_4)
    stem = word[: len(word) - len(suffix)]
    if suffix and len(stem) >= region_2 and (suffix != "ion" or stem.endswith(("s", "t"))):
        word = stem
    return word


def _strip_final_letter(word, region_1, region_2):
    stem = word[:-1]
    if word.endswith("e"):
        in_region_2 = len(stem) >= region_2
        if in_region_2 or (len(stem) >= region_1 and not _ends_short(stem)):
            return stem
    elif word.endswith("ll") and len(stem) >= region_2:
        return stem
    return word
