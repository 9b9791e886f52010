import pathlib

import pytest

from keras_mmfusion.zoo import mirror
from keras_mmfusion.zoo.mirror import FolderMirror, HttpMirror, find_mirror, mirror_at


def test_an_address_is_quoted_and_joined():
    assert mirror_at("http://host/a/").address("p/a file#1") == "http://host/a/p/a%20file%231"


@pytest.mark.parametrize("address", ["ftp://host/zoo", "s3://bucket/zoo", "https://", "http:///a"])
def test_other_addresses_are_refused(address):
    with pytest.raises(ValueError, match=f"must be an http.*Received: '{address}'"):
        mirror_at(address)


def test_a_password_is_refused_without_being_printed():
    with pytest.raises(ValueError, match="carries a user name or a password") as error:
        mirror_at("https://me:secret@host/zoo")
    assert "secret" not in str(error.value)


def test_the_environment_names_the_mirror(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", "https://host/zoo")
    assert isinstance(find_mirror(), HttpMirror)
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(tmp_path))
    assert find_mirror().address("p/f") == str(tmp_path / "p" / "f")
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", "~/presets")
    assert find_mirror().address("p") == str(pathlib.Path.home() / "presets" / "p")


def test_a_source_checkout_serves_its_own_zoo(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_MMFUSION_MIRROR", raising=False)
    module = tmp_path / "keras_mmfusion" / "zoo" / "mirror.py"
    monkeypatch.setattr(mirror, "__file__", str(module))
    assert find_mirror() is None

    (tmp_path / "zoo").mkdir()
    (tmp_path / "pyproject.toml").touch()
    found = find_mirror()
    assert isinstance(found, FolderMirror)
    assert found.folder == tmp_path.resolve() / "zoo"
