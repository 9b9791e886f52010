"""Exports of models other than captioners, which test_export_captioner.py exports."""

import json

import pytest
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app

tf = pytest.importorskip("tensorflow")


@pytest.mark.parametrize("task", ["retrieval", "sentiment"])
def test_export_writes_version_and_manifest(task, embedder_preset, sentiment_preset, tmp_path):
    preset = {"retrieval": embedder_preset, "sentiment": sentiment_preset}[task]
    out = tmp_path / "served"
    exported = CliRunner().invoke(app, ["export", task, "--preset", preset, "--out", str(out)])
    assert exported.exit_code == 0, exported.output
    assert exported.stdout == f"{out / '1'}\n"
    manifest = json.loads((out / "1" / "manifest.json").read_text("utf-8"))
    assert manifest["preset_hash"]
    assert "serving_default" in tf.saved_model.load(out / "1").signatures


def test_model_of_another_task_is_an_error(captioner_preset, tmp_path):
    arguments = ["--preset", captioner_preset, "--out", str(tmp_path / "served")]
    failed = CliRunner().invoke(app, ["export", "sentiment", *arguments])
    assert failed.exit_code == 2
    assert "not a ConversationModel" in failed.stderr
