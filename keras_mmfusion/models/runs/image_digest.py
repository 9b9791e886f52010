"""A digest of image files by their contents, without reading files that were read before."""

import concurrent.futures
import functools
import hashlib
import os

from keras_mmfusion.models.runs.run_record import digest_of, shown_digest


class ImageDigests:
    """Digests of lists of image files by content; the names and places of the files do not count.

    Reading a large data set takes minutes. A list whose files have the same paths, sizes and times
    as before is taken to have the same contents, so that a run that goes on starts at once; a copy
    of the files elsewhere is read, and found to be the same.

    Args:
        known: dict of an earlier `known`, from a run's record.

    Attributes:
        known: dict, digest of paths, sizes and times -> digest of contents, of all lists so far.
    """

    def __init__(self, known=None):
        self.known = dict(known or {})

    def of(self, paths):
        """The digest of the files at these paths, in this order; a path may be `None`."""
        state = digest_of([_state(path) for path in paths])
        if state not in self.known:
            self.known[state] = _digest_of_contents(state, tuple(paths))
        return self.known[state]


def _state(path):
    if path is None:
        return None
    found = os.stat(path)
    # A tool that keeps an edited file's modification time does not keep the time of the change.
    return [os.fspath(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns]


@functools.lru_cache(maxsize=8)
def _digest_of_contents(state, paths):
    """`state` is in the key: files that have changed since are read again."""
    digest = hashlib.sha256()
    with concurrent.futures.ThreadPoolExecutor() as threads:
        for content in threads.map(_content, paths):
            digest.update(content)
    return shown_digest(digest)


def _content(path):
    if path is None:
        return b"-" * hashlib.sha256().digest_size
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def pairs_facts(pairs, digests):
    """What a record says of `CaptionPairs`.

    Args:
        pairs: `CaptionPairs`.
        digests: `ImageDigests`.

    Returns:
        A dict of strings: `"images"` and `"captions"`.
    """
    captions = sum(map(len, pairs.captions))
    return {
        "images": f"{len(pairs)} ({digests.of(pairs.images)})",
        "captions": f"{captions} ({digest_of(pairs.captions)})",
    }
