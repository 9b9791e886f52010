import subprocess
import sys

import pytest
from typer.testing import CliRunner

from keras_mmfusion.cli import zoo
from keras_mmfusion.cli.app import app


def test_ctrl_c_prints_one_line(monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(zoo, "load_manifest", interrupt)
    stopped = CliRunner().invoke(app, ["zoo", "list"])
    assert (stopped.exit_code, stopped.stderr) == (130, "mmfusion: interrupted\n")


def test_ctrl_c_while_the_command_is_imported_prints_one_line():
    code = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from keras_mmfusion.cli.main import main\n"
        "main()\n"
    )
    stopped = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert (stopped.returncode, stopped.stderr) == (130, "mmfusion: interrupted\n")


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backend_that_is_not_installed_is_named(monkeypatch, backend):
    def import_backend():
        __import__(backend)

    monkeypatch.setitem(sys.modules, backend, None)
    monkeypatch.setattr(zoo, "load_manifest", import_backend)
    refused = CliRunner().invoke(app, ["zoo", "list"])
    assert refused.exit_code == 2
    assert f"pip install 'keras-mmfusion[{backend}]'" in refused.stderr


def test_failing_import_of_the_package_shows_a_traceback(monkeypatch):
    def import_nothing():
        import no_such_module  # noqa: F401

    monkeypatch.setattr(zoo, "load_manifest", import_nothing)
    broken = CliRunner().invoke(app, ["zoo", "list"])
    assert isinstance(broken.exception, ModuleNotFoundError)
