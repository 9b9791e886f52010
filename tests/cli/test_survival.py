"""`mmfusion train`, `evaluate` and `export survival`."""

import json

import pytest
from tcga_files import GROUPS, write_folds, write_tcga
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app


@pytest.fixture
def folder(tmp_path):
    ids = write_tcga(tmp_path / "patients.csv", patients=60)
    write_folds(tmp_path / "folds", ids)
    (tmp_path / "groups.csv").write_text(GROUPS)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_model_is_trained_evaluated_and_exported(folder, eager_fit):
    data = ("--data", folder / "patients.csv", "--folds", folder / "folds", "--fold", 1)
    preset = folder / "preset"
    result = run(
        *("train", "survival", *data, "--groups", folder / "groups.csv", "--out", preset),
        *("--epochs", 2, "--dim", 8),
    )
    assert result.exit_code == 0, result.output
    scores = folder / "scores.json"
    result = run("evaluate", "survival", "--preset", preset, *data, "--json", scores)
    assert result.exit_code == 0, result.output
    report = json.loads(scores.read_text())
    assert 0 <= report["metrics"]["c_index"] <= 1
    assert report["protocol"]["patients"] == 30 and report["protocol"]["fold"] == "folds/1"
    result = run("export", "survival", "--preset", preset, "--out", folder / "served")
    assert result.exit_code == 0, result.output
    manifest = json.loads((folder / "served" / "1" / "manifest.json").read_text())
    assert manifest["boundaries"]


def test_unknown_fold_is_an_error(folder):
    result = run(
        *("train", "survival", "--data", folder / "patients.csv", "--folds", folder / "folds"),
        *("--fold", 2, "--out", folder / "preset"),
    )
    assert result.exit_code != 0
    assert "`--fold` must be from 0 to 1. Received: 2" in " ".join(result.output.split())
