"""Errors for packages that only an extra installs: one line, before any work."""

import sys

import pytest
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app

PHOTO = "tests/data/photo.jpg"


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [
        (["caption", PHOTO, "--explain", "out.png"], "matplotlib", "explain"),
        (["export", "edge", "--out", "edge", "--format", "onnx"], "tf2onnx", "edge"),
        (["caption-dataset", "--input", "*.jpg", "--out", "out"], "apache_beam", "beam"),
    ],
)
def test_missing_extra_is_named(monkeypatch, request, command, package, extra):
    monkeypatch.chdir(request.config.rootpath)
    monkeypatch.setitem(sys.modules, package, None)
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2, refused.output
    assert package in refused.stderr and f"pip install 'keras-mmfusion[{extra}]'" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
