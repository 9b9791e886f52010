"""Digests of the contents of image files, cached by path, size and time."""

import concurrent.futures
import functools
import hashlib
import os

from keras_mmfusion.models.runs.run_record import compute_digest, format_digest


class ImageDigests:
    """Computes digests of lists of image files by content, independent of their paths.

    Reading a large data set takes minutes. Files with unchanged paths, sizes and times are assumed
    to have unchanged contents, so that a resumed run starts at once. A copy of the files in another
    folder is read and has the same digest.

    Args:
        cache: dict. The `cache` attribute of an earlier run, from its record.

    Attributes:
        cache: dict, digest of paths, sizes and times -> digest of contents.
    """

    def __init__(self, cache=None):
        self.cache = dict(cache or {})

    def compute(self, paths):
        """Computes the digest of a sequence of paths; a path may be `None`."""
        state = compute_digest([_read_state(path) for path in paths])
        if state not in self.cache:
            self.cache[state] = _compute_content_digest(state, tuple(paths))
        return self.cache[state]


def _read_state(path):
    if path is None:
        return None
    status = os.stat(path)
    # Tools may preserve the modification time of an edited file, but not the change time.
    return [os.fspath(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns]


@functools.lru_cache(maxsize=8)
def _compute_content_digest(state, paths):
    """`state` is part of the cache key, so that changed files are read again."""
    digest = hashlib.sha256()
    with concurrent.futures.ThreadPoolExecutor() as threads:
        for content in threads.map(_hash_content, paths):
            digest.update(content)
    return format_digest(digest)


def _hash_content(path):
    if path is None:
        return b"-" * hashlib.sha256().digest_size
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def describe_pairs(pairs, digests):
    """Returns the metadata of `CaptionPairs` for a record.

    Args:
        pairs: `CaptionPairs`.
        digests: `ImageDigests`.

    Returns:
        A dict of strings: `"images"` and `"captions"`.
    """
    captions = sum(map(len, pairs.captions))
    return {
        "images": f"{len(pairs)} ({digests.compute(pairs.images)})",
        "captions": f"{captions} ({compute_digest(pairs.captions)})",
    }
