"""The tokens that coco-caption scores captions on, without Java."""

import re
import struct

from keras_mmfusion.metrics.ptb_rules import NEWLINES, RULES

# coco-caption takes these tokens out.
PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-"]
    + [".", "?", "!", ",", ":", "-", "--", "...", ";"]
)

# Chunks between spaces whose tokens nothing around them can change: no period, digit, bracket or
# character outside ASCII.
_ALONE = re.compile(r"[A-Za-z'\"`,;:!?\-*/@_=+%~^|\\]+")
_WORD_AND_PERIOD = re.compile(r"[A-Za-z]{2,}\.")
_BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")
_NEWLINE = re.compile(f"[{NEWLINES}]")


class PTBTokenizer:
    """Penn Treebank tokens of captions, lower case, without punctuation.

    The tokens are those of Stanford CoreNLP 3.4.1's `PTBTokenizer` with `-preserveLines
    -lowerCase`, less coco-caption's punctuation list: what pycocoevalcap's `PTBTokenizer` gives
    through Java. As there, all captions are one text with a caption a line, so that the start of
    the next caption may decide whether a period at the end of one belongs to an abbreviation.

    Example:

    >>> PTBTokenizer().tokenize({1: ['A man\\'s dog (brown) can\\'t run.', "Two dogs."]})
    {1: ["a man 's dog -lrb- brown -rrb- ca n't run", 'two dogs']}

    Reference:
        Marcus, Santorini and Marcinkiewicz, "Building a Large Annotated Corpus of English: The
        Penn Treebank" (1993); Manning et al., "The Stanford CoreNLP Natural Language Processing
        Toolkit" (2014).
    """

    def __init__(self):
        self._chunks = {}
        self._last_words = {}

    def tokenize(self, captions):
        """Tokenizes the captions of images.

        Args:
            captions: dict of image id -> list of strings.

        Returns:
            A dict of image id -> list of strings, each the caption's tokens between spaces.
        """
        flat = [caption for each in captions.values() for caption in each]
        lines = iter(self.tokenize_lines(flat))
        return {
            image_id: [
                " ".join(token for token in next(lines) if token not in PUNCTUATION) for _ in each
            ]
            for image_id, each in captions.items()
        }

    def tokenize_lines(self, lines):
        """Tokenizes lines of one text, with punctuation.

        Args:
            lines: list of strings; a newline inside one counts as a space.

        Returns:
            A list of lists of tokens, one for each line.
        """
        text = "\n".join([_NEWLINE.sub(" ", line) for line in lines])
        if max(text, default="") > "\uffff":
            # Java's characters are UTF-16 units: an emoji is two.
            text = _BEYOND_BMP.sub(lambda m: _utf16_units(m[0]), text)
        tokens_of_lines = []
        start = 0
        while len(tokens_of_lines) < len(lines):
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            tokens_of_lines.append(self._tokenize_line(text, start, end))
            start = end + 1
        return tokens_of_lines

    def _tokenize_line(self, text, start, end):
        tokens = []
        place = start
        while place < end:
            stop = text.find(" ", place, end)
            stop = end if stop < 0 else stop
            chunk = text[place:stop]
            known = self._chunks.get(chunk)
            if known is None and stop < len(text) and _ALONE.fullmatch(chunk):
                known = self._chunks[chunk] = _scan(chunk + " ", 0, len(chunk))[0]
            if known is None and stop == end and _WORD_AND_PERIOD.fullmatch(chunk):
                known = self._last_word(chunk)
            if known is not None and stop < len(text):
                tokens += known
                place = stop + 1
            else:
                # A token may reach over the space: "1 1/2", or a tag.
                found, place = _scan(text, place, max(stop, place + 1))
                tokens += found
        return tokens

    def _last_word(self, chunk):
        """Tokens of a line's last word and its period, or None if the next line may matter."""
        known = self._last_words.get(chunk, ())
        if known == ():
            # Every abbreviation is one before a number.
            found, _ = _scan(chunk + " 5", 0, len(chunk))
            known = self._last_words[chunk] = found if found[-1] == "." else None
        return known


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
