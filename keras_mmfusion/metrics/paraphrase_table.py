"""METEOR's table of paraphrases, compact in memory and on disk."""

import collections
import contextlib
import gzip
import itertools
import os
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

_CHUNK_CHARACTERS = 1 << 22
_ARRAYS = ("words", "sources", "source_lengths", "target_counts", "targets", "target_lengths")


class ParaphraseTable:
    """Which phrases METEOR takes for paraphrases of which, read when first asked for.

    The file holds three lines a pair (a probability, a phrase, its paraphrase), sorted by phrase
    and paraphrase: 5.3 million pairs, 60 MB packed and 270 MB unpacked for English. It is kept
    here as word numbers in NumPy arrays, about 45 MB, and those are written once to
    `$KERAS_HOME/keras_mmfusion` (`~/.keras/keras_mmfusion` by default), from where they load in
    a fraction of a second; where that folder cannot be written, they are made anew in each
    process.

    A phrase is handled as a key: the bytes of its words' numbers, which sort as the phrases do.

    Args:
        path: the gzip file of the pairs.
        cache_folder: folder for the arrays, if not the one named above.

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
        self._number_of = {word: number for number, word in enumerate(words)}
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
        """The key of a sequence of words; a word that the table lacks has a number of its own.

        Args:
            words: list of strings.

        Returns:
            bytes.
        """
        unknown = len(self._number_of)
        numbers = [self._number_of.get(word, unknown) for word in words]
        return np.array(numbers, self._sources.dtype).tobytes()

    def phrases(self, sentence):
        """All runs of words in a sentence that are short enough to be in the table.

        Args:
            sentence: bytes, from `encode`.

        Yields:
            Tuples `(key, place of the first word, number of words)`.
        """
        width = self._sources.dtype.itemsize
        stop = len(sentence)
        for start in range(0, stop, width):
            for end in range(start + width, min(start + width * self._longest, stop) + 1, width):
                yield sentence[start:end], start // width, (end - start) // width

    def select(self, sentences):
        """The pairs of which both phrases occur in some of the sentences.

        Args:
            sentences: list of bytes, from `encode`.

        Returns:
            A dict of key -> set of the keys of its paraphrases.
        """
        present = {key for sentence in sentences for key, _, _ in self.phrases(sentence)}
        width = self._sources.dtype.itemsize
        selected = {}
        for row, key in self._sources_within(b"".join(sentences)):
            if key in present:
                first, last = self._span(self._group_ends, row)
                start, end = self._span(self._group_token_ends, row)
                tokens = self._targets[start:end].tobytes()
                paraphrases = set()
                start = 0
                for length in self._target_lengths[first:last].tolist():
                    end = start + length * width
                    if tokens[start:end] in present:
                        paraphrases.add(tokens[start:end])
                    start = end
                if paraphrases:
                    # A phrase has two rows where its pairs were read in two chunks.
                    selected.setdefault(key, set()).update(paraphrases)
        return selected

    def _sources_within(self, tokens):
        """Yields the rows and keys of the phrases that have no word outside `tokens`."""
        wanted = np.zeros(len(self._number_of) + 1, bool)
        wanted[np.frombuffer(tokens, self._sources.dtype)] = True
        starts = np.concatenate([[0], self._source_ends[:-1]])
        rows = np.flatnonzero(np.logical_and.reduceat(wanted[self._sources], starts))
        for row in rows.tolist():
            start, end = self._span(self._source_ends, row)
            yield row, self._sources[start:end].tobytes()

    @staticmethod
    def _span(ends, row):
        return (ends[row - 1] if row else 0), ends[row]


def _load(path, cache_folder):
    # The last 8 bytes of a gzip file are the check sum and the size of what it holds.
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 8))
        cache = cache_folder / f"meteor-paraphrases-{file.read(8).hex()}.npz"
    arrays = _read_cache(cache)
    if arrays is None:
        arrays = _read_pairs(path)
        # A read-only home is no reason to fail: only the next process is slower.
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
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
        try:
            np.savez(file, **dict(zip(_ARRAYS, arrays, strict=True)))
            file.close()
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def _read_pairs(path):
    number_of = collections.defaultdict(itertools.count().__next__)
    parts = {name: [] for name in _ARRAYS[1:]}
    for phrases, paraphrases in _pair_chunks(path):
        distinct, counts = [], []
        for phrase, group in itertools.groupby(phrases):
            distinct.append(phrase)
            counts.append(len(list(group)))
        parts["target_counts"].append(np.array(counts, np.uint32))
        for name, group in (("source", distinct), ("target", paraphrases)):
            text = "\n".join(group)
            words = text.replace("\n", " ").split(" ")
            parts[f"{name}s"].append(np.fromiter(map(number_of.__getitem__, words), np.uint32))
            marks = np.frombuffer(f"{text}\n".encode(), np.uint8)
            marks = marks[(marks == ord(" ")) | (marks == ord("\n"))]
            lengths = np.diff(np.flatnonzero(marks == ord("\n")), prepend=-1)
            parts[f"{name}_lengths"].append(lengths.astype(np.uint8))
    if not number_of:
        raise ValueError(f"METEOR's paraphrase table {path} holds no pair.")
    # Numbered in the words' order and written with the high byte first, keys sort as phrases.
    words = sorted(number_of)
    rank = np.empty(len(words), np.min_scalar_type(len(words)).newbyteorder(">"))
    rank[[number_of[word] for word in words]] = np.arange(len(words))
    arrays = {name: np.concatenate(part) for name, part in parts.items()}
    arrays["sources"] = rank[arrays["sources"]]
    arrays["targets"] = rank[arrays["targets"]]
    arrays["words"] = np.frombuffer("\n".join(words).encode(), np.uint8)
    return [arrays[name] for name in _ARRAYS]


def _pair_chunks(path):
    """Yields lists of phrases and of their paraphrases, some hundred thousand at a time."""
    rest = ""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
            while text := file.read(_CHUNK_CHARACTERS):
                lines = (rest + text).split("\n")
                whole = (len(lines) - 1) // 3 * 3
                if whole:
                    yield lines[1:whole:3], lines[2:whole:3]
                rest = "\n".join(lines[whole:])
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise ValueError(
            f"METEOR's paraphrase table {path} cannot be read ({error}). Install pycocoevalcap "
            "anew, or pass another folder as `tables`."
        ) from error
    if rest:
        raise ValueError(f"METEOR's paraphrase table {path} ends in the middle of a pair.")
