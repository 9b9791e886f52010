import json
import os

import pytest

from keras_mmfusion.files.atomic_files import replace_file, replace_folder, write_json


def test_replace_file_writes_a_new_file(tmp_path):
    with replace_file(tmp_path / "a.txt") as scratch:
        assert scratch.suffix == ".txt"
        scratch.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_replace_file_gives_the_permissions_of_a_new_file(tmp_path):
    (tmp_path / "plain").write_text("")
    with replace_file(tmp_path / "a"):
        pass
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_replace_file_keeps_the_permissions_of_the_old_file(tmp_path):
    (tmp_path / "a").write_text("")
    (tmp_path / "a").chmod(0o640)
    with replace_file(tmp_path / "a"):
        pass
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_replace_file_keeps_the_old_file_on_an_error(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), replace_file(tmp_path / "a") as scratch:
        scratch.write_text("new")
        raise KeyboardInterrupt
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_replace_folder_replaces_all_of_the_old_folder(tmp_path):
    (tmp_path / "x" / "a").mkdir(parents=True)
    (tmp_path / "x" / "a" / "old.txt").write_text("old")
    with replace_folder(tmp_path / "x" / "a") as scratch:
        (scratch / "new.txt").write_text("new")
    assert os.listdir(tmp_path / "x") == ["a"]
    assert os.listdir(tmp_path / "x" / "a") == ["new.txt"]


def test_replace_folder_keeps_the_old_folder_on_an_error(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old.txt").write_text("old")
    with pytest.raises(KeyboardInterrupt), replace_folder(tmp_path / "a") as scratch:
        (scratch / "new.txt").write_text("new")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["a"]
    assert os.listdir(tmp_path / "a") == ["old.txt"]


def test_replace_folder_restores_the_old_folder_if_it_cannot_be_replaced(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old.txt").write_text("old")
    replace = os.replace

    def fail_on_new(source, target):
        if os.path.basename(source) == "new":
            raise OSError("No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_on_new)
    with pytest.raises(OSError, match="No space left"), replace_folder(tmp_path / "a"):
        pass
    assert os.listdir(tmp_path) == ["a"]
    assert os.listdir(tmp_path / "a") == ["old.txt"]


def test_write_json_keeps_characters_as_they_are(tmp_path):
    write_json({"caption": "ein Café"}, tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text("utf-8")
    assert json.loads(text) == {"caption": "ein Café"}
    assert "Café" in text and text.endswith("}\n")
