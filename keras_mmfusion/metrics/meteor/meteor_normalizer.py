"""The tokenization of METEOR's `-norm` option for English."""

import re

_LETTERS = (
    "A-Za-z\u0160\u017d\u0161\u017e\u0178\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017e"
    "\u0400-\u04ff\u0500-\u0527\ua640-\ua66e\ua67e-\ua697\u1d00-\u1d7f"
)
# Java's \s and its StringTokenizer split at different sets of ASCII white space.
_JAVA_SPACE = " \t\n\x0b\f\r"
_TOKEN = re.compile("[^ \t\n\f\r]+")
_TRIMMED = "".join(map(chr, range(33)))

_PLAIN_WORDS = re.compile("[a-z0-9 ]*")
_OTHER = re.compile(f"([^0-9{_LETTERS}{_JAVA_SPACE}.'`,\\-\u2018\u2019])")
_ELLIPSIS = re.compile(r"\.{2,}")
_COMMAS = (
    re.compile("([^0-9])(,)([^0-9])"),
    re.compile("([0-9])(,)([^0-9])"),
    re.compile("([^0-9])(,)([0-9])"),
)
_SINGLE_QUOTE = re.compile("[`\u2018\u2019]")
_DOUBLE_QUOTE = re.compile("[\u201c\u201d]|''")
_HYPHEN = re.compile(f"([0-9{_LETTERS}.])-([0-9{_LETTERS}])")
_APOSTROPHES_APART = (
    re.compile(f"([^{_LETTERS}])(')([^{_LETTERS}])"),
    re.compile(f"([^0-9{_LETTERS}])(')([{_LETTERS}])"),
    re.compile(f"([{_LETTERS}])(')([^{_LETTERS}])"),
)
_APOSTROPHES_LEADING = (re.compile(f"([{_LETTERS}])'([{_LETTERS}])"), re.compile("([0-9])'(s)"))
_LETTER = re.compile(f"[{_LETTERS}]")
_LOWER_START = re.compile("[a-z]")
_DIGIT_START = re.compile("[0-9]")
_WIDE_SPACE = re.compile("[\u2000-\u200a\u202f\u205f\u3000\u00a0]")

ALWAYS = "always"
BEFORE_NUMBER = "before a number"


def normalize(text, prefixes):
    """Splits a text into the lower-case tokens that METEOR compares.

    Hyphenated words, clitics ("dog's" -> "dog 's") and punctuation are split; quotes and dashes
    become ASCII; abbreviations keep their period.

    Args:
        text: string.
        prefixes: dict of abbreviation without its period -> `ALWAYS` or `BEFORE_NUMBER`.

    Returns:
        A list of strings.

    Example:

    >>> normalize("A well-known dog's ball, U.S. made.", {})
    ['a', 'well', 'known', 'dog', "'s", 'ball', ',', 'us', 'made', '.']
    """
    if _PLAIN_WORDS.fullmatch(text):
        return text.split()
    text = f" {text.strip(_TRIMMED)} "
    text = _OTHER.sub(r" \1 ", text)
    text = _ELLIPSIS.sub(r" \g<0> ", text)
    for pattern in _COMMAS:
        text = pattern.sub(r"\1 \2 \3", text)
    text = _SINGLE_QUOTE.sub("'", text)
    text = _DOUBLE_QUOTE.sub(' " ', text)
    text = text.replace("\u2013", "-").replace("--", "-")
    text = _HYPHEN.sub(r"\1 \2", text)
    for pattern in _APOSTROPHES_APART:
        text = pattern.sub(r"\1 \2 \3", text)
    for pattern in _APOSTROPHES_LEADING:
        text = pattern.sub(r"\1 '\2", text)
    text = " ".join(_split_periods(_TOKEN.findall(text), prefixes))
    text = _WIDE_SPACE.sub(" ", text).strip(_TRIMMED)
    return _TOKEN.findall(text.lower())


def _split_periods(tokens, prefixes):
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        stem = token[:-1]
        if not stem or token[-1] != "." or _ELLIPSIS.fullmatch(token):
            yield token
        elif "." in stem and _LETTER.search(stem):
            yield token.replace(".", "")
        elif (
            prefixes.get(stem) == ALWAYS
            or _LOWER_START.match(following)
            or (prefixes.get(stem) == BEFORE_NUMBER and _DIGIT_START.match(following))
        ):
            yield token
        else:
            yield stem
            yield "."
