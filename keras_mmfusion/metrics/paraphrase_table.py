"""METEOR's table of paraphrases, compact in memory and on disk."""

import contextlib
import gzip
import itertools
import os
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

_CHUNK_BYTES = 1 << 24
_ARRAYS = ("words", "sources", "source_lengths", "target_counts", "targets", "target_lengths")


class ParaphraseTable:
    """Which phrases METEOR takes for paraphrases of which, read when first asked for.

    The file holds three lines a pair (a probability, a phrase, its paraphrase), sorted by phrase:
    5.3 million pairs, 60 MB packed and 270 MB unpacked for English. It is kept here as word
    numbers in NumPy arrays, about 45 MB, and those are written once to
    `$KERAS_HOME/keras_mmfusion` (`~/.keras/keras_mmfusion` by default), from where they load in
    a fraction of a second; where that folder cannot be written, they are made anew in each
    process.

    Args:
        path: the gzip file of the pairs.

    Example:

    >>> import gzip, os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "pairs.gz")
    ...     with gzip.open(path, "wt") as file:
    ...         _ = file.write("0.5\\nbig dog\\nhound\\n0.1\\nbig dog\\nlarge dog\\n")
    ...     ParaphraseTable(path, cache_folder=folder).select({"big", "dog", "hound"})
    {'big dog': {'hound'}}
    """

    def __init__(self, path, cache_folder=None):
        self._path = Path(path)
        if cache_folder is None:
            home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
            cache_folder = Path(home) / "keras_mmfusion"
        self._cache_folder = Path(cache_folder)
        self._arrays = None

    def select(self, words):
        """The pairs that have no word outside `words`.

        Args:
            words: set of strings.

        Returns:
            A dict of phrase -> set of its paraphrases, phrases being words joined by spaces.

        Raises:
            ValueError: if the table's file cannot be read.
        """
        table_words, sources, source_lengths, target_counts, targets, target_lengths = self._load()
        vocabulary = table_words.tobytes().decode().split("\n")
        wanted = np.fromiter((word in words for word in vocabulary), bool, len(vocabulary))
        source_starts = _starts(source_lengths)
        target_starts = _starts(target_lengths)
        keep = np.logical_and.reduceat(wanted[sources], source_starts).repeat(target_counts)
        keep &= np.logical_and.reduceat(wanted[targets], target_starts)
        kept = np.flatnonzero(keep)
        source_of = np.repeat(np.arange(len(target_counts)), target_counts)[kept]

        def phrase(tokens, start, length):
            return " ".join([vocabulary[token] for token in tokens[start : start + length]])

        selected = {}
        pairs = zip(source_of.tolist(), kept.tolist(), strict=True)
        for source, group in itertools.groupby(pairs, key=lambda pair: pair[0]):
            selected[phrase(sources, source_starts[source], source_lengths[source])] = {
                phrase(targets, target_starts[target], target_lengths[target])
                for _, target in group
            }
        return selected

    def _load(self):
        if self._arrays is None:
            # The last 8 bytes of a gzip file are the check sum and the size of what it holds.
            with open(self._path, "rb") as file:
                file.seek(-8, os.SEEK_END)
                cache = self._cache_folder / f"meteor-paraphrases-{file.read(8).hex()}.npz"
            self._arrays = _read_cache(cache)
            if self._arrays is None:
                self._arrays = _read_pairs(self._path)
                # A read-only home is no reason to fail: only the next process is slower.
                with contextlib.suppress(OSError):
                    _write_cache(cache, self._arrays)
        return self._arrays


def _starts(lengths):
    return np.concatenate([[0], np.cumsum(lengths[:-1], dtype=np.int64)])


def _read_cache(path):
    try:
        with np.load(path) as arrays:
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
    number_of = {}

    def numbers(phrases):
        tokens = " ".join(phrases).split()
        for token in tokens:
            number_of.setdefault(token, len(number_of))
        return np.fromiter(map(number_of.__getitem__, tokens), np.uint32, len(tokens))

    def lengths(phrases):
        return np.fromiter((phrase.count(" ") + 1 for phrase in phrases), np.uint8, len(phrases))

    parts = {name: [] for name in _ARRAYS[1:]}
    for phrases, paraphrases in _pair_chunks(path):
        distinct, counts = [], []
        for phrase, group in itertools.groupby(phrases):
            distinct.append(phrase)
            counts.append(sum(1 for _ in group))
        parts["sources"].append(numbers(distinct))
        parts["source_lengths"].append(lengths(distinct))
        parts["target_counts"].append(np.array(counts, np.uint32))
        parts["targets"].append(numbers(paraphrases))
        parts["target_lengths"].append(lengths(paraphrases))
    token_type = np.min_scalar_type(len(number_of))
    arrays = {name: np.concatenate(part) for name, part in parts.items()}
    arrays["sources"] = arrays["sources"].astype(token_type)
    arrays["targets"] = arrays["targets"].astype(token_type)
    arrays["words"] = np.frombuffer("\n".join(number_of).encode(), np.uint8)
    return [arrays[name] for name in _ARRAYS]


def _pair_chunks(path):
    """Yields lists of phrases and of their paraphrases, some hundred thousand at a time."""
    rest = ""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
            while text := file.read(_CHUNK_BYTES):
                lines = (rest + text).split("\n")
                whole = (len(lines) - 1) // 3 * 3
                yield lines[1:whole:3], lines[2:whole:3]
                rest = "\n".join(lines[whole:])
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise ValueError(
            f"METEOR's paraphrase table {path} cannot be read ({error}). Install pycocoevalcap "
            "anew, or pass another folder as `tables`."
        ) from error
    if rest:
        raise ValueError(f"METEOR's paraphrase table {path} ends in the middle of a pair.")
