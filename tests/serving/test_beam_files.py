"""Tests paths with pattern characters in local and remote file systems."""

import os

import pytest

pytest.importorskip("apache_beam", reason="needs the extra `beam`")

from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

from keras_mmfusion.serving.bulk.beam_files import (
    list_names,
    match_files,
    remove_files,
)


class RemoteFileSystem(LocalFileSystem):
    """Local files with `remote://` paths, matched only by Beam's patterns."""

    @classmethod
    def scheme(cls):
        return "remote"

    def join(self, basepath, *paths):
        return "/".join([basepath, *paths])

    def _url_dirname(self, path):
        return path.rpartition("/")[0]

    def _list(self, path):
        for entry in super()._list(path.removeprefix("remote:/")):
            yield FileMetadata(f"remote:/{entry.path}", entry.size_in_bytes)

    def exists(self, path):
        return super().exists(path.removeprefix("remote:/"))

    def metadata(self, path):
        return FileMetadata(path, super().metadata(path.removeprefix("remote:/")).size_in_bytes)

    def delete(self, paths):
        for match in self.match(paths):
            for each in match.metadata_list:
                os.remove(each.path.removeprefix("remote:/"))


NAMES = ["a[1].jpg", "a1.jpg", "b.jpg", "b.txt"]
FOLDERS = ["run [1]", "run 1", "run ?*"]


@pytest.fixture(params=["", "remote:/"], ids=["local", "remote"])
def root(request, tmp_path):
    for folder in FOLDERS:
        (tmp_path / folder / "inner").mkdir(parents=True)
        for name in NAMES:
            (tmp_path / folder / name).touch()
            (tmp_path / folder / "inner" / name).touch()
    return request.param + str(tmp_path)


@pytest.mark.parametrize("folder", FOLDERS)
def test_list_names_of_folders_with_pattern_characters(root, folder):
    assert list_names(f"{root}/{folder}", "b") == {"b.jpg", "b.txt"}
    assert list_names(f"{root}/{folder}", "c") == set()


def test_remove_files_removes_only_the_named_files(root, tmp_path):
    remove_files([f"{root}/run [1]/b.jpg", f"{root}/run ?*/a1.jpg"])
    expected = {(folder, name) for folder in FOLDERS for name in NAMES}
    expected -= {("run [1]", "b.jpg"), ("run ?*", "a1.jpg")}
    assert {(p.parent.name, p.name) for p in tmp_path.glob("*/*.*")} == expected


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
def test_match_files_returns_the_matching_files(root, pattern, expected):
    expected = sorted(f"{root}/{name}" for name in expected)
    assert list(match_files(f"{root}/{pattern}")) == expected


def test_existing_leading_path_is_taken_literally(tmp_path, root):
    if root != str(tmp_path):
        pytest.skip("only implemented for local files")
    assert list(match_files(f"{root}/run [1]/b.*")) == [
        f"{root}/run [1]/b.jpg",
        f"{root}/run [1]/b.txt",
    ]
    assert list(match_files(f"{root}/run 1/a[[]?].jpg")) == [f"{root}/run 1/a[1].jpg"]
    assert list(match_files(f"{root}/run ?*/[a]1.jpg")) == [f"{root}/run ?*/a1.jpg"]
    assert list(match_files(f"{root}/run ?*/a[1].jpg")) == [f"{root}/run ?*/a[1].jpg"]
