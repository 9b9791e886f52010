"""What native code prints when TensorFlow is imported: nothing, unless it is asked for."""

import importlib.machinery
import os
import subprocess
import sys

import pytest

from keras_mmfusion import _quiet_tensorflow

pytest.importorskip("tensorflow")

TRAINING = """
import warnings
warnings.simplefilter("error")
from keras_mmfusion import FusionBlock, FusionModel
import keras
import numpy as np
model = FusionModel(
    {"image": keras.layers.Dense(4), "text": keras.layers.Dense(4)},
    FusionBlock(("image", "text"), dim=4),
    head=keras.layers.Dense(1),
)
model.compile("sgd", "mse", run_eagerly=True)
data = {name: np.ones((2, 3, 2)) for name in ("image", "text")}
model.fit(data, np.ones((2, 1)), epochs=1, verbose=0)
import os
os.write(2, b"end\\n")
"""


def stderr_of(code, level):
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    environment["KERAS_BACKEND"] = "tensorflow"
    if level is not None:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, env=environment
    )
    assert run.returncode == 0, run.stderr
    return run.stderr


@pytest.mark.parametrize("level", [None, "3"])
def test_training_prints_no_log_line(level):
    assert stderr_of(TRAINING, level) == "end\n"


@pytest.mark.parametrize("level", ["1", "2"])
def test_a_level_is_kept_from_the_first_line_on(level):
    lines = stderr_of("import keras_mmfusion, tensorflow", level).splitlines()
    below = "IWEF"[: int(level)]
    assert [line for line in lines if line[:1] in below] == []


def test_level_0_shows_all():
    assert "I0000" in stderr_of("import keras_mmfusion, tensorflow", "0")


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads a module that stands in for TensorFlow, as the finder does, at level 2."""
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    monkeypatch.syspath_prepend(tmp_path)

    def load(code):
        folder = tmp_path / "tensorflow"
        folder.mkdir()
        (folder / "__init__.py").write_text(f"import os\n{code}\n")
        spec = _quiet_tensorflow._TensorFlowFinder().find_spec("tensorflow", [str(tmp_path)])
        assert isinstance(spec.loader, importlib.machinery.SourceFileLoader)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))

    return load


NATIVE = b"""\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795988643.885957   13955 port.cc:153] oneDNN custom operations are on.
W0000 00:00:1795988643.885957   13955 a.cc:1] slow
2024-05-01 10:00:00.123456: I tensorflow/core/util/port.cc:113] oneDNN custom operations are on.
E0000 00:00:1795988643.885957   13955 a.cc:1] bad
Insufficient memory
"""


def test_errors_and_what_is_no_log_line_are_printed(load, capfd):
    load(f"os.write(2, {NATIVE!r})")
    assert capfd.readouterr().err.splitlines() == [
        "E0000 00:00:1795988643.885957   13955 a.cc:1] bad",
        "Insufficient memory",
    ]


def test_ctrl_c_in_the_import_shows_no_line_below_the_level(load, capfd):
    with pytest.raises(KeyboardInterrupt):
        load(f"os.write(2, {NATIVE!r})\nraise KeyboardInterrupt")
    assert [line[:1] for line in capfd.readouterr().err.splitlines()] == ["E", "I"]


@pytest.mark.parametrize("level", ["info", "4", None])
def test_a_level_that_was_changed_before_the_import(load, capfd, monkeypatch, level):
    if level is None:
        monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    else:
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    load(f"os.write(2, {NATIVE!r})")
    assert capfd.readouterr().err.encode() == NATIVE


def test_when_the_import_fails_all_is_printed(load, capfd):
    with pytest.raises(ImportError, match="no libcuda"):
        load(f"os.write(2, {NATIVE!r})\nraise ImportError('no libcuda')")
    assert capfd.readouterr().err.encode() == NATIVE
