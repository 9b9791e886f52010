"""The cached embeddings of a folder of images."""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import time
import zipfile

import numpy as np

from keras_mmfusion.files.atomic_files import replace_file
from keras_mmfusion.zoo.download import get_cache_root

# A file that changes again within this time may keep its modification time and size.
_SETTLED_NANOSECONDS = 2 * 10**9
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclasses.dataclass(frozen=True)
class _Stamp:
    """File attributes that change whenever the content changes."""

    size: int
    modified: int
    changed: int  # Unlike the modification time, programs cannot set it back.


class PhotoIndex:
    """Embeddings of images by the hashes of their contents, in a file of the user's cache.

    The file belongs to one folder and one model. It is written atomically and holds only images
    that are still in the folder. An image is read again only if its size or one of its times has
    changed. An unreadable file counts as empty.

    Args:
        folder: path. The folder of images.
        fingerprint: string. Identifies the model.
    """

    def __init__(self, folder, fingerprint):
        key = f"{pathlib.Path(folder).resolve()}\n{fingerprint}"
        name = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        self.path = get_cache_root() / "search" / f"{name[:32]}.npz"
        self.vectors, self._hashes, self._stamps = {}, {}, {}
        with contextlib.suppress(*_UNREADABLE):
            self._load()

    def _load(self):
        with open(self.path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            names = file["names"].tobytes().decode("utf-8", "surrogateescape").split("\0")
            hashes, stamps = file["hashes"].tolist(), file["stamps"].tolist()
            vectors = file["vectors"].astype("float32")
        if not len(names) == len(hashes) == len(stamps) == len(vectors) or vectors.ndim != 2:
            raise ValueError("lengths differ")
        if any(len(stamp) != len(dataclasses.fields(_Stamp)) for stamp in stamps):
            raise ValueError("stamps of another version")
        if not np.isfinite(vectors).all():
            raise ValueError("NaN")
        self._hashes = dict(zip(names, hashes, strict=True))
        self._stamps = {name: _Stamp(*s) for name, s in zip(names, stamps, strict=True)}
        self.vectors = dict(zip(hashes, vectors, strict=True))

    def read_hash(self, photo):
        """Returns the hash of an image file, which is read only if it may have changed.

        Args:
            photo: string, a path.

        Raises:
            OSError: if the file cannot be read.
        """
        started = time.time_ns()
        status = os.stat(photo)
        stamp = _Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if self._stamps.get(photo) != stamp:
            with open(photo, "rb") as file:
                self._hashes[photo] = hashlib.file_digest(file, "sha256").hexdigest()
            settled = started - max(stamp.modified, stamp.changed) > _SETTLED_NANOSECONDS
            self._stamps[photo] = stamp if settled else _Stamp(-1, -1, -1)
        return self._hashes[photo]

    def save(self, photos):
        """Writes the embeddings of these images.

        Args:
            photos: list of strings, the paths of all images in the folder.

        Raises:
            OSError: if the cache cannot be written.
        """
        photos = [photo for photo in photos if self._hashes.get(photo) in self.vectors]
        if not photos:
            return
        names = "\0".join(photos).encode("utf-8", "surrogateescape")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(self.path) as scratch:
            np.savez(
                scratch,
                names=np.frombuffer(names, "uint8"),
                hashes=np.array([self._hashes[photo] for photo in photos]),
                stamps=np.array([dataclasses.astuple(self._stamps[p]) for p in photos]),
                vectors=np.stack([self.vectors[self._hashes[photo]] for photo in photos]),
            )
