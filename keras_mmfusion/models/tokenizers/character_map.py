"""The normalization of SentencePiece: a compiled map of character sequences."""

import array
import sys

REPLACEMENT = "\ufffd"
SPACE = "\u2581"  # "▁", which stands for a space.


class CharacterMap:
    """Normalizes a text as SentencePiece does.

    The longest sequence of characters that the map contains is replaced, at each position from
    left to right. Spaces become "▁".

    Args:
        data: bytes. The compiled map of SentencePiece: the size of a trie, the trie (a double array
            as in Darts-clone), and the replacements. Empty for no replacements.
        add_dummy_prefix: bool. Whether a space is added in front of a text.
        remove_extra_whitespaces: bool. Whether repeated and outer spaces are removed.

    Raises:
        ValueError: if the map is damaged.
    """

    def __init__(self, data=b"", add_dummy_prefix=True, remove_extra_whitespaces=True):
        self.data = data
        self.add_dummy_prefix = add_dummy_prefix
        self.remove_extra_whitespaces = remove_extra_whitespaces
        size = int.from_bytes(data[:4], "little")
        if data and (size % 4 or not 4 <= size <= len(data) - 4):
            raise ValueError("The character map is damaged.")
        self._units = array.array("I", data[4 : 4 + size])
        if sys.byteorder == "big":
            self._units.byteswap()
        self._replacements = data[4 + size :]

    def normalize(self, text):
        """Returns the normalized text.

        Args:
            text: string.

        Example:

        >>> CharacterMap().normalize("two  dogs ")
        '▁two▁dogs'
        """
        data = text.encode("utf-8", "replace")
        output = [SPACE] if self.add_dummy_prefix else []
        after_space = self.remove_extra_whitespaces
        position = 0
        while position < len(data):
            replacement, length = self._replace(data, position)
            position += length
            if after_space:
                replacement = replacement.lstrip(" ")
            if replacement:
                output.append(replacement.replace(" ", SPACE))
                after_space = self.remove_extra_whitespaces and replacement.endswith(" ")
        output = "".join(output)
        return output.rstrip(SPACE) if self.remove_extra_whitespaces else output

    def _replace(self, data, position):
        """Returns what replaces the next characters, and their number of bytes."""
        found = None
        if self._units:
            found = self._find_longest(data, position)
        if found is not None:
            start, length = found
            end = self._replacements.index(0, start)
            return self._replacements[start:end].decode("utf-8"), length
        length = _count_bytes(data[position])
        return data[position : position + length].decode("utf-8"), length

    def _find_longest(self, data, position):
        """Searches the trie; returns the start of the replacement and the length of the key."""
        units, found = self._units, None
        node = _get_offset(units[0])
        for index in range(position, len(data)):
            byte = data[index]
            node ^= byte
            if not byte or node >= len(units):
                break
            unit = units[node]
            if unit & 0x800000FF != byte:
                break
            node ^= _get_offset(unit)
            if unit >> 8 & 1:
                found = units[node] & 0x7FFFFFFF, index + 1 - position
        return found


def _get_offset(unit):
    return (unit >> 10) << ((unit & 1 << 9) >> 6)


def _count_bytes(first):
    """The number of bytes of a character of UTF-8, from the first byte."""
    return 1 if first < 0x80 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
