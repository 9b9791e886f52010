"""Tests the type stubs that make lazily exported names visible to editors and type checkers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keras_mmfusion._write_stubs import ROOT, make_stubs

PROGRAM = """
import keras_mmfusion
from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.losses import InfoNCELoss
from keras_mmfusion.metrics import bleu_scores

InfoNCELoss()
keras_mmfusion.zoo.captioner()
reveal_type(FusionBlock.__init__)
reveal_type(bleu_scores)
bleu_scores({}, {}, typo=1)  # wrong: Unexpected keyword argument "typo" for "bleu_scores"
keras_mmfusion.layers.Typo  # wrong: Module has no attribute "Typo"
from keras_mmfusion.metrics import typo  # wrong: has no attribute "typo"
"""
# Only the package itself is analyzed: other packages are large or have no types.
SETTINGS = """
[mypy]
follow_imports = skip

[mypy-keras_mmfusion.*]
follow_imports = silent
"""


def test_stubs_match_the_export_tables():
    stored = {path: path.read_text(encoding="utf-8") for path in ROOT.rglob("*.pyi")}
    assert stored == make_stubs(), "run `python -m keras_mmfusion._write_stubs`"


def test_type_checker_knows_exported_names_and_signatures(tmp_path):
    pytest.importorskip("mypy", reason="needs mypy")
    program, settings = tmp_path / "program.py", tmp_path / "mypy.ini"
    program.write_text(PROGRAM, encoding="utf-8")
    settings.write_text(SETTINGS, encoding="utf-8")
    arguments = ["--config-file", settings, "--cache-dir", tmp_path / "cache", program]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(Path(ROOT).parent)},
        timeout=600,
    )
    lines = PROGRAM.splitlines()
    expected = {
        n: line.split("# wrong: ")[1] for n, line in enumerate(lines, 1) if "# wrong" in line
    }
    errors = dict(re.findall(r"program\.py:(\d+): error: (.*)", run.stdout))
    assert set(map(int, errors)) == set(expected), run.stdout + run.stderr
    for number, message in expected.items():
        assert message in errors[str(number)]
    assert "modalities: Any, strategy: Any" in run.stdout
    assert "def (references: Any, candidates: Any)" in run.stdout
