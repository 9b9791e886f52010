import os
import shutil

import pytest

from keras_mmfusion.datasets import CaptionPairs
from keras_mmfusion.models.runs import image_digest
from keras_mmfusion.models.runs.image_digest import ImageDigests, describe_pairs


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{name}.png" for name in "ab"]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


def test_digest_depends_on_contents_not_names(files, tmp_path):
    digest = ImageDigests().compute(files)
    copies = [shutil.copy(path, tmp_path / f"copy_of_{path.name}") for path in files]
    assert ImageDigests().compute(copies) == digest
    assert ImageDigests().compute(reversed_(files)) != digest
    assert ImageDigests().compute([files[0], None]) != digest


def reversed_(paths):
    return list(reversed(paths))


def test_edits_with_unchanged_size_and_time_are_detected(files):
    digest, before = ImageDigests().compute(files), files[0].stat()
    files[0].write_bytes(b"A.png")
    os.utime(files[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ImageDigests().compute(files) != digest


def test_unchanged_files_are_not_read_again(files, monkeypatch):
    first = ImageDigests()
    digest = first.compute(files)
    image_digest._compute_content_digest.cache_clear()
    monkeypatch.setattr(image_digest, "_hash_content", None)  # Calling it would fail.
    assert ImageDigests(first.cache).compute(files) == digest


def test_metadata_of_caption_pairs(files):
    def metadata(captions):
        return describe_pairs(CaptionPairs([str(path) for path in files], captions), ImageDigests())

    one, other = metadata([["a", "b"], ["c"]]), metadata([["a", "b"], ["d"]])
    assert one["images"] == other["images"] and one["images"].startswith("2 (sha256 ")
    assert one["captions"] != other["captions"] and one["captions"].startswith("3 (sha256 ")
    assert metadata([["a"], ["b", "c"]])["captions"] != one["captions"]
