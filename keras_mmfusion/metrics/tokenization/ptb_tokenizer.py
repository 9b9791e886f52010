"""The tokenizer of coco-caption, without Java."""

import re
import struct
from collections.abc import Mapping

from keras_mmfusion.metrics.tokenization.ptb_rules import NEWLINES, RULES

# coco-caption removes these tokens.
PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-"]
    + [".", "?", "!", ",", ":", "-", "--", "...", ";"]
)

# Chunks (text between spaces) whose tokens do not depend on the context: no period, digit, bracket
# or character outside ASCII.
_INDEPENDENT = re.compile(r"[A-Za-z'\"`,;:!?\-*/@_=+%~^|\\]+")
_WORD_AND_PERIOD = re.compile(r"(?:[A-Za-z]{2,})?\.")
_BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")
_NEWLINE = re.compile(f"[{NEWLINES}]")


class PTBTokenizer:
    """Splits captions into lower-case Penn Treebank tokens without punctuation.

    The tokens equal those of pycocoevalcap's `PTBTokenizer`, which runs Stanford CoreNLP 3.4.1
    in Java with `-preserveLines -lowerCase` and removes coco-caption's list of punctuation. All
    captions form one text with a caption per line, so the start of a caption can decide whether
    a period at the end of the previous one belongs to an abbreviation.

    Args:
        keep_punctuation: bool. Whether to keep the tokens of coco-caption's punctuation list.

    Example:

    >>> PTBTokenizer().tokenize({1: ['A man\\'s dog (brown) can\\'t run.', "Two dogs."]})
    {1: ["a man 's dog -lrb- brown -rrb- ca n't run", 'two dogs']}

    Reference:
        Marcus, Santorini and Marcinkiewicz, "Building a Large Annotated Corpus of English: The
        Penn Treebank" (1993); Manning et al., "The Stanford CoreNLP Natural Language Processing
        Toolkit" (2014).
    """

    def __init__(self, keep_punctuation=False):
        self._dropped = frozenset() if keep_punctuation else PUNCTUATION
        # Caches of chunk -> tokens, for chunks inside a line and at its end. `None`: the tokens
        # depend on the context.
        self._inside = {"": ""}
        self._last = {"": ""}

    def tokenize(self, captions):
        """Tokenizes the captions of images.

        Args:
            captions: dict of image id -> list of strings.

        Returns:
            A dict of image id -> list of strings, the tokens of a caption separated by spaces.

        Raises:
            TypeError: if an image has a string instead of a list, or a caption is not a string.
        """
        if not isinstance(captions, Mapping):
            raise TypeError(
                "`captions` must be a dict of image id -> list of strings, not "
                f"{type(captions).__name__}. Use `tokenize_lines` for a list."
            )
        bare = [each for each in captions.values() if isinstance(each, str) or each is None]
        if bare:
            raise TypeError(f"An image must have a list of captions. Received: {bare[0]!r:.80}")
        lines = self.tokenize_lines([caption for each in captions.values() for caption in each])
        tokens = {}
        start = 0
        for image_id, each in captions.items():
            tokens[image_id] = lines[start : start + len(each)]
            start += len(each)
        return tokens

    def tokenize_lines(self, lines):
        """Tokenizes the lines of one text.

        Args:
            lines: list of strings; newlines within a string are treated as spaces.

        Returns:
            A list with a string for each line, its tokens separated by spaces.

        Raises:
            TypeError: if `lines` is a string, or an entry is not a string.
        """
        wrong = [lines] if isinstance(lines, str) else [x for x in lines if not isinstance(x, str)]
        if wrong:
            raise TypeError(f"`lines` must be a list of strings. Received: {wrong[0]!r:.80}")
        text = "\n".join([_NEWLINE.sub(" ", line) for line in lines])
        if max(text, default="") > "\uffff":
            # Java's characters are UTF-16 units: an emoji has two.
            text = _BEYOND_BMP.sub(lambda m: _to_utf16_units(m[0]), text)
        tokens = []
        start = 0
        for line in text.split("\n")[: len(lines)]:
            *inside, last = line.split(" ")
            in_line = list(map(self._inside.get, inside))
            in_line.append(self._last.get(last))
            end = start + len(line)
            if None in in_line or end == len(text):
                in_line = self._tokenize_line(text, start, end)
            tokens.append(" ".join(filter(None, in_line)))
            start = end + 1
        return tokens

    def _tokenize_line(self, text, start, end):
        """Tokenizes a line chunk by chunk and caches chunks that do not depend on their context."""
        tokens = []
        position = start
        while position < end:
            stop = text.find(" ", position, end)
            stop = end if stop < 0 else stop
            if stop < len(text):
                cached = self._tokenize_chunk(text[position:stop], stop == end)
                if cached is not None:
                    tokens.append(cached)
                    position = stop + 1
                    continue
            # Tokens such as "1 1/2" or a tag contain spaces. At the end of the text, rules with
            # context after the token fail.
            scanned, position = _scan(text, position, max(stop, position + 1))
            tokens.append(self._join(scanned))
        return tokens

    def _tokenize_chunk(self, chunk, is_last):
        """Tokenizes a chunk; returns `None` if the tokens may depend on the context."""
        cache = self._last if is_last else self._inside
        if chunk not in cache:
            if _INDEPENDENT.fullmatch(chunk):
                cache[chunk] = self._join(_scan(chunk + " ", 0, len(chunk))[0])
            elif is_last and _WORD_AND_PERIOD.fullmatch(chunk):
                # Before a number, every abbreviation keeps its period.
                scanned, _ = _scan(chunk + " 5", 0, len(chunk))
                cache[chunk] = self._join(scanned) if scanned[-1] == "." else None
        return cache.get(chunk)

    def _join(self, tokens):
        return " ".join([token for token in tokens if token not in self._dropped])


def _scan(text, position, stop):
    """Tokenizes from `position` until a token ends at or after `stop`; returns tokens and end."""
    tokens = []
    while position < stop:
        furthest, match, rule = position, None, None
        for candidate in RULES:
            candidate_match = candidate.pattern.match(text, position)
            if candidate_match and candidate_match.end() > furthest:
                furthest, match, rule = candidate_match.end(), candidate_match, candidate
        if match is None:
            position += 1
            continue
        position += len(match[1]) - rule.give_back
        token = rule.write(match[1])
        if token is not None:
            tokens.append(_from_utf16_units(token).lower())
    return tokens, position


def _to_utf16_units(character):
    high, low = struct.unpack(">2H", character.encode("utf-16-be"))
    return chr(high) + chr(low)


def _from_utf16_units(text):
    return text if text.isascii() else text.encode("utf-16-be", "surrogatepass").decode("utf-16-be")
