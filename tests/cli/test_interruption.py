import sys

import pytest
from typer.testing import CliRunner

from keras_mmfusion.cli import zoo
from keras_mmfusion.cli.main import app


def test_ctrl_c_is_one_line(monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(zoo, "load_manifest", interrupt)
    stopped = CliRunner().invoke(app, ["zoo", "list"])
    assert (stopped.exit_code, stopped.stderr) == (130, "mmfusion: interrupted\n")


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_backend_that_is_not_installed_is_named(monkeypatch, backend):
    def import_backend():
        __import__(backend)

    monkeypatch.setitem(sys.modules, backend, None)
    monkeypatch.setattr(zoo, "load_manifest", import_backend)
    refused = CliRunner().invoke(app, ["zoo", "list"])
    assert refused.exit_code == 2
    assert f"pip install 'keras-mmfusion[{backend}]'" in refused.stderr


def test_a_broken_import_of_ours_shows_where(monkeypatch):
    def import_nothing():
        import no_such_module  # noqa: F401

    monkeypatch.setattr(zoo, "load_manifest", import_nothing)
    broken = CliRunner().invoke(app, ["zoo", "list"])
    assert isinstance(broken.exception, ModuleNotFoundError)
