"""The tokens that coco-caption scores captions on, without Java."""

import re
import struct
from collections.abc import Mapping

from keras_mmfusion.metrics.ptb_rules import NEWLINES, RULES

# coco-caption takes these tokens out.
PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-"]
    + [".", "?", "!", ",", ":", "-", "--", "...", ";"]
)

# Chunks between spaces whose tokens nothing around them can change: no period, digit, bracket or
# character outside ASCII.
_ALONE = re.compile(r"[A-Za-z'\"`,;:!?\-*/@_=+%~^|\\]+")
_WORD_AND_PERIOD = re.compile(r"(?:[A-Za-z]{2,})?\.")
_BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")
_NEWLINE = re.compile(f"[{NEWLINES}]")


class PTBTokenizer:
    """Penn Treebank tokens of captions, lower case, without punctuation.

    The tokens are those of Stanford CoreNLP 3.4.1's `PTBTokenizer` with `-preserveLines
    -lowerCase`, less coco-caption's punctuation list: what pycocoevalcap's `PTBTokenizer` gives
    through Java. As there, all captions are one text with a caption a line, so that the start of
    the next caption may decide whether a period at the end of one belongs to an abbreviation.

    Args:
        keep_punctuation: bool. Keeps the tokens of coco-caption's punctuation list.

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
        # Tokens of chunks that were met and are the same in each place: inside of a line, at its
        # end.
        self._inside = {"": ""}
        self._last = {"": ""}

    def tokenize(self, captions):
        """Tokenizes the captions of images.

        Args:
            captions: dict of image id -> list of strings.

        Returns:
            A dict of image id -> list of strings, each the caption's tokens between spaces.

        Raises:
            TypeError: if an image has one bare string, or a caption is no string.
        """
        if not isinstance(captions, Mapping):
            raise TypeError(
                "`captions` must be a dict of image id -> list of strings, not "
                f"{type(captions).__name__}; of a list, take `tokenize_lines`."
            )
        bare = [each for each in captions.values() if isinstance(each, str) or each is None]
        if bare:
            raise TypeError(f"an image must have a list of captions. Received: {bare[0]!r:.80}")
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
            lines: list of strings; a newline inside one counts as a space.

        Returns:
            A list of strings, one for each line, with its tokens between spaces.

        Raises:
            TypeError: if `lines` is one string, or one of them is none.
        """
        wrong = [lines] if isinstance(lines, str) else [x for x in lines if not isinstance(x, str)]
        if wrong:
            raise TypeError(f"a caption must be a string in a list. Received: {wrong[0]!r:.80}")
        text = "\n".join([_NEWLINE.sub(" ", line) for line in lines])
        if max(text, default="") > "\uffff":
            # Java's characters are UTF-16 units: an emoji is two.
            text = _BEYOND_BMP.sub(lambda m: _utf16_units(m[0]), text)
        tokens = []
        start = 0
        for line in text.split("\n")[: len(lines)]:
            *inside, last = line.split(" ")
            known = list(map(self._inside.get, inside))
            known.append(self._last.get(last))
            end = start + len(line)
            if None in known or end == len(text):
                known = self._tokenize_line(text, start, end)
            tokens.append(" ".join(filter(None, known)))
            start = end + 1
        return tokens

    def _tokenize_line(self, text, start, end):
        """Tokens of one line, chunk by chunk, kept for the next time where they may be."""
        tokens = []
        place = start
        while place < end:
            stop = text.find(" ", place, end)
            stop = end if stop < 0 else stop
            if stop < len(text):
                known = self._tokens_of_chunk(text[place:stop], stop == end)
                if known is not None:
                    tokens.append(known)
                    place = stop + 1
                    continue
            # A token may reach over the space: "1 1/2", or a tag. At the end of the text, rules
            # that look at a further character fail.
            found, place = _scan(text, place, max(stop, place + 1))
            tokens.append(self._written(found))
        return tokens

    def _tokens_of_chunk(self, chunk, is_last):
        """The chunk's tokens, or None if what stands around it may matter."""
        memory = self._last if is_last else self._inside
        if chunk not in memory:
            if _ALONE.fullmatch(chunk):
                memory[chunk] = self._written(_scan(chunk + " ", 0, len(chunk))[0])
            elif is_last and _WORD_AND_PERIOD.fullmatch(chunk):
                # Every abbreviation is one before a number.
                found, _ = _scan(chunk + " 5", 0, len(chunk))
                memory[chunk] = self._written(found) if found[-1] == "." else None
        return memory.get(chunk)

    def _written(self, tokens):
        return " ".join([token for token in tokens if token not in self._dropped])


def _scan(text, place, stop):
    """Tokens from `place` on until one ends at `stop` or behind it, and where that is."""
    tokens = []
    while place < stop:
        furthest, match, rule = place, None, None
        for candidate in RULES:
            found = candidate.pattern.match(text, place)
            if found and found.end() > furthest:
                furthest, match, rule = found.end(), found, candidate
        if match is None:
            place += 1
            continue
        token = match[1]
        place += len(token) - rule.give_back
        written = rule.write(token)
        if written is not None:
            tokens.append(_from_utf16_units(written).lower())
    return tokens, place


def _utf16_units(character):
    high, low = struct.unpack(">2H", character.encode("utf-16-be"))
    return chr(high) + chr(low)


def _from_utf16_units(text):
    return text if text.isascii() else text.encode("utf-16-be", "surrogatepass").decode("utf-16-be")
