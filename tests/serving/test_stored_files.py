"""Files by names that have the characters of patterns, on this machine and elsewhere."""

import os

import pytest

pytest.importorskip("apache_beam", reason="needs the extra `beam`")

from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

from keras_mmfusion.serving.bulk.stored_files import (
    matching_files,
    names_in,
    remove_files,
)


class FarFileSystem(LocalFileSystem):
    """Files of this machine that are `far://...`, matched by Beam's patterns alone."""

    @classmethod
    def scheme(cls):
        return "far"

    def join(self, basepath, *paths):
        return "/".join([basepath, *paths])

    def _url_dirname(self, path):
        return path.rpartition("/")[0]

    def _list(self, path):
        for found in super()._list(path.removeprefix("far:/")):
            yield FileMetadata(f"far:/{found.path}", found.size_in_bytes)

    def exists(self, path):
        return super().exists(path.removeprefix("far:/"))

    def metadata(self, path):
        return FileMetadata(path, super().metadata(path.removeprefix("far:/")).size_in_bytes)

    def delete(self, paths):
        for match in self.match(paths):
            for each in match.metadata_list:
                os.remove(each.path.removeprefix("far:/"))


NAMES = ["a[1].jpg", "a1.jpg", "b.jpg", "b.txt"]
FOLDERS = ["run [1]", "run 1", "run ?*"]


@pytest.fixture(params=["", "far:/"], ids=["local", "far"])
def root(request, tmp_path):
    for folder in FOLDERS:
        (tmp_path / folder / "inner").mkdir(parents=True)
        for name in NAMES:
            (tmp_path / folder / name).touch()
            (tmp_path / folder / "inner" / name).touch()
    return request.param + str(tmp_path)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_names_of_a_folder(root, folder):
    assert names_in(f"{root}/{folder}", "b") == {"b.jpg", "b.txt"}
    assert names_in(f"{root}/{folder}", "c") == set()


def test_only_the_named_file_is_removed(root, tmp_path):
    remove_files([f"{root}/run [1]/b.jpg", f"{root}/run ?*/a1.jpg"])
    kept = {(folder, name) for folder in FOLDERS for name in NAMES}
    kept -= {("run [1]", "b.jpg"), ("run ?*", "a1.jpg")}
    assert {(p.parent.name, p.name) for p in tmp_path.glob("*/*.*")} == kept


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("run 1/*.jpg", ["run 1/a1.jpg", "run 1/a[1].jpg", "run 1/b.jpg"]),
        ("run ?/b.*", ["run 1/b.jpg", "run 1/b.txt"]),
        ("run 1/**/b.jpg", ["run 1/b.jpg", "run 1/inner/b.jpg"]),
        ("run 1/a[1].jpg", ["run 1/a[1].jpg"]),
        ("run 1/nothing*", []),
    ],
)
def test_a_pattern(root, pattern, expected):
    expected = sorted(f"{root}/{name}" for name in expected)
    assert list(matching_files(f"{root}/{pattern}")) == expected


def test_the_beginning_that_exists_is_no_pattern(tmp_path, root):
    if root != str(tmp_path):
        pytest.skip("elsewhere it would have to be asked for at each step")
    assert list(matching_files(f"{root}/run [1]/b.*")) == [
        f"{root}/run [1]/b.jpg",
        f"{root}/run [1]/b.txt",
    ]
    assert list(matching_files(f"{root}/run 1/a[[]?].jpg")) == [f"{root}/run 1/a[1].jpg"]
    assert list(matching_files(f"{root}/run ?*/[a]1.jpg")) == [f"{root}/run ?*/a1.jpg"]
    assert list(matching_files(f"{root}/run ?*/a[1].jpg")) == [f"{root}/run ?*/a[1].jpg"]
