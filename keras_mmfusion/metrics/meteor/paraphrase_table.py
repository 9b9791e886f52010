"""A compact form of METEOR's paraphrase table, in memory and on disk."""

import collections
import contextlib
import gzip
import itertools
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from keras_mmfusion.files.atomic_files import replace_file

_CHUNK_CHARACTERS = 1 << 22
_ARRAYS = ("words", "sources", "source_lengths", "target_counts", "targets", "target_lengths")


class ParaphraseTable:
    """The pairs of phrases that METEOR considers paraphrases.

    The file has three lines per pair (a probability, a phrase, its paraphrase), sorted by phrase
    and paraphrase. The English file has 5.3 million pairs: 60 MB compressed, 270 MB uncompressed.
    This class stores them as word numbers in NumPy arrays (about 45 MB) and caches the arrays in
    `$KERAS_HOME/keras_mmfusion` (`~/.keras/keras_mmfusion` by default), from which they load in
    a fraction of a second. If the folder is not writable, each process builds the arrays again.

    The key of a phrase is the bytes of its word numbers; keys sort like phrases.

    Args:
        path: path of the gzip file with the pairs.
        cache_folder: folder for the arrays. Defaults to the folder above.

    Raises:
        ValueError: if the file cannot be read.

    Example:

    >>> import gzip, os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "pairs.gz")
    ...     with gzip.open(path, "wt") as file:
    ...         _ = file.write("0.5\\nbig dog\\nhound\\n0.1\\nbig dog\\nlarge dog\\n")
    ...     table = ParaphraseTable(path, cache_folder=folder)
    >>> sentences = [table.encode(words.split()) for words in ("a big dog", "the hound")]
    >>> pairs = table.select(sentences)
    >>> pairs == {table.encode(["big", "dog"]): {table.encode(["hound"])}}
    True
    """

    def __init__(self, path, cache_folder=None):
        if cache_folder is None:
            home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
            cache_folder = Path(home) / "keras_mmfusion"
        words, sources, source_lengths, target_counts, targets, target_lengths = _load(
            Path(path), Path(cache_folder)
        )
        words = words.tobytes().decode().split("\n")
        self._word_numbers = {word: number for number, word in enumerate(words)}
        self._longest = int(max(source_lengths.max(), target_lengths.max()))
        self._sources = sources
        self._source_ends = np.cumsum(source_lengths, dtype=np.int64)
        self._targets = targets
        self._target_lengths = target_lengths
        self._group_ends = np.cumsum(target_counts, dtype=np.int64)
        group_starts = self._group_ends - target_counts
        self._group_token_ends = np.cumsum(
            np.add.reduceat(target_lengths, group_starts, dtype=np.int64)
        )

    def encode(self, words):
        """Returns the key of a sequence of words; unknown words share one number.

        Args:
            words: list of strings.

        Returns:
            bytes.
        """
        unknown = len(self._word_numbers)
        numbers = [self._word_numbers.get(word, unknown) for word in words]
        return np.array(numbers, self._sources.dtype).tobytes()

    def find_phrases(self, sentence):
        """Finds all word sequences in a sentence that are short enough to be in the table.

        Args:
            sentence: bytes, from `encode`.

        Yields:
            Tuples `(key, position of the first word, number of words)`.
        """
        width = self._sources.dtype.itemsize
        stop = len(sentence)
        for start in range(0, stop, width):
            for end in range(start + width, min(start + width * self._longest, stop) + 1, width):
                yield sentence[start:end], start // width, (end - start) // width

    def select(self, sentences):
        """Selects the pairs of phrases that both occur in any of the sentences.

        Args:
            sentences: list of bytes, from `encode`.

        Returns:
            A dict of key -> set of the keys of its paraphrases.
        """
        known = {key for sentence in sentences for key, _, _ in self.find_phrases(sentence)}
        width = self._sources.dtype.itemsize
        selected = {}
        for row, key in self._find_sources(b"".join(sentences)):
            if key in known:
                first, last = self._span(self._group_ends, row)
                start, end = self._span(self._group_token_ends, row)
                tokens = self._targets[start:end].tobytes()
                paraphrases = set()
                start = 0
                for length in self._target_lengths[first:last].tolist():
                    end = start + length * width
                    if tokens[start:end] in known:
                        paraphrases.add(tokens[start:end])
                    start = end
                if paraphrases:
                    # A phrase whose pairs span two chunks has two rows.
                    selected.setdefault(key, set()).update(paraphrases)
        return selected

    def _find_sources(self, tokens):
        """Yields the rows and keys of the phrases with all words in `tokens`."""
        is_used = np.zeros(len(self._word_numbers) + 1, bool)
        is_used[np.frombuffer(tokens, self._sources.dtype)] = True
        starts = np.concatenate([[0], self._source_ends[:-1]])
        rows = np.flatnonzero(np.logical_and.reduceat(is_used[self._sources], starts))
        for row in rows.tolist():
            start, end = self._span(self._source_ends, row)
            yield row, self._sources[start:end].tobytes()

    @staticmethod
    def _span(ends, row):
        return (ends[row - 1] if row else 0), ends[row]


def _load(path, cache_folder):
    # The last 8 bytes of a gzip file are the checksum and the size of its content.
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 8))
        cache = cache_folder / f"meteor-paraphrases-{file.read(8).hex()}.npz"
    arrays = _read_cache(cache)
    if arrays is None:
        arrays = _read_pairs(path)
        # The cache is optional: the folder may be read-only.
        with contextlib.suppress(OSError):
            _write_cache(cache, arrays)
    return arrays


def _read_cache(path):
    try:
        with open(path, "rb") as file, np.load(file) as arrays:
            return [arrays[name] for name in _ARRAYS]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write_cache(path, arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as scratch:
        np.savez(scratch, **dict(zip(_ARRAYS, arrays, strict=True)))


def _read_pairs(path):
    word_numbers = collections.defaultdict(itertools.count().__next__)
    parts = {name: [] for name in _ARRAYS[1:]}
    for phrases, paraphrases in _read_chunks(path):
        distinct, counts = [], []
        for phrase, group in itertools.groupby(phrases):
            distinct.append(phrase)
            counts.append(len(list(group)))
        parts["target_counts"].append(np.array(counts, np.uint32))
        for name, group in (("source", distinct), ("target", paraphrases)):
            text = "\n".join(group)
            words = text.replace("\n", " ").split(" ")
            parts[f"{name}s"].append(np.fromiter(map(word_numbers.__getitem__, words), np.uint32))
            separators = np.frombuffer(f"{text}\n".encode(), np.uint8)
            separators = separators[(separators == ord(" ")) | (separators == ord("\n"))]
            lengths = np.diff(np.flatnonzero(separators == ord("\n")), prepend=-1)
            parts[f"{name}_lengths"].append(lengths.astype(np.uint8))
    if not word_numbers:
        raise ValueError(f"METEOR's paraphrase table {path} is empty.")
    # Big-endian numbers in alphabetical order, so that keys sort like phrases.
    words = sorted(word_numbers)
    rank = np.empty(len(words), np.min_scalar_type(len(words)).newbyteorder(">"))
    rank[[word_numbers[word] for word in words]] = np.arange(len(words))
    arrays = {name: np.concatenate(part) for name, part in parts.items()}
    arrays["sources"] = rank[arrays["sources"]]
    arrays["targets"] = rank[arrays["targets"]]
    arrays["words"] = np.frombuffer("\n".join(words).encode(), np.uint8)
    return [arrays[name] for name in _ARRAYS]


def _read_chunks(path):
    """Yields lists of phrases and lists of their paraphrases, some hundred thousand at a time."""
    rest = ""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
            while text := file.read(_CHUNK_CHARACTERS):
                lines = (rest + text).split("\n")
                complete = (len(lines) - 1) // 3 * 3
                if complete:
                    yield lines[1:complete:3], lines[2:complete:3]
                rest = "\n".join(lines[complete:])
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise ValueError(
            f"METEOR's paraphrase table {path} cannot be read ({error}). Reinstall pycocoevalcap, "
            "or pass another folder as `tables`."
        ) from error
    if rest:
        raise ValueError(f"METEOR's paraphrase table {path} ends in the middle of a pair.")
