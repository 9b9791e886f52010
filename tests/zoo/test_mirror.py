import pathlib

import pytest

from keras_mmfusion.zoo import mirror
from keras_mmfusion.zoo.mirror import FolderMirror, HttpMirror, create_mirror, find_mirror


def test_address_is_joined_and_quoted():
    assert create_mirror("http://host/a/").address("p/a file#1") == "http://host/a/p/a%20file%231"


@pytest.mark.parametrize("address", ["ftp://host/zoo", "s3://bucket/zoo", "https://", "http:///a"])
def test_unsupported_address_is_an_error(address):
    with pytest.raises(ValueError, match=f"must be an http.*Received: '{address}'"):
        create_mirror(address)


def test_password_is_an_error_and_not_printed():
    with pytest.raises(ValueError, match="has a user name or a password") as error:
        create_mirror("https://me:secret@host/zoo")
    assert "secret" not in str(error.value)


def test_environment_variable_sets_the_mirror(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", "https://host/zoo")
    assert isinstance(find_mirror(), HttpMirror)
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(tmp_path))
    assert find_mirror().address("p/f") == str(tmp_path / "p" / "f")
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", "~/presets")
    assert find_mirror().address("p") == str(pathlib.Path.home() / "presets" / "p")


def test_source_checkout_is_a_mirror(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_MMFUSION_MIRROR", raising=False)
    module = tmp_path / "keras_mmfusion" / "zoo" / "mirror.py"
    monkeypatch.setattr(mirror, "__file__", str(module))
    assert find_mirror() is None

    (tmp_path / "zoo").mkdir()
    (tmp_path / "pyproject.toml").touch()
    found = find_mirror()
    assert isinstance(found, FolderMirror)
    assert found.folder == tmp_path.resolve() / "zoo"
