import json

import pytest
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app
from keras_mmfusion.zoo.manifest import hash_files, list_preset_files

tf = pytest.importorskip("tensorflow")


def run(*arguments):
    return CliRunner().invoke(app, ["export", "captioner", *map(str, arguments)])


def test_export_writes_version_and_manifest(tmp_path, captioner_preset):
    command = run("--preset", captioner_preset, "--out", tmp_path / "served", "--beams", 1)
    assert command.exit_code == 0, command.output
    version = tmp_path / "served" / "1"
    assert command.stdout == f"{version}\n"
    manifest = json.loads((version / "manifest.json").read_text("utf-8"))
    assert manifest["preset"] == "captioner_small"
    assert manifest["preset_hash"] == hash_files(list_preset_files(captioner_preset))
    assert manifest["decoding"]["beams"] == 1
    assert "serving_default" in tf.saved_model.load(version).signatures


def test_unknown_preset_is_an_error(tmp_path):
    command = run("--out", tmp_path / "served", "--preset", "captioner_flickr8k_lite9")
    assert command.exit_code == 2
    assert "Unknown preset 'captioner_flickr8k_lite9'" in command.stderr
    assert not (tmp_path / "served").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--beams", 0),
        ("--beams", 5000),
        ("--beams", "nan"),
        ("--length-penalty", 11),
        ("--length-penalty", "nan"),
    ],
)
def test_options_out_of_range_are_errors(tmp_path, option, value):
    command = run("--out", tmp_path / "served", option, value)
    assert command.exit_code == 2
    assert option in command.stderr
    assert not (tmp_path / "served").exists()


def test_export_edge_passes_model_and_format(tmp_path, captioner_preset, monkeypatch):
    calls = []

    def write(model, folder, edge_format):  # Tested in tests/models/captioning/test_edge_export.py.
        calls.append((type(model).__name__, folder, edge_format))
        return folder

    monkeypatch.setattr(
        "keras_mmfusion.models.captioning.export.edge_export.export_edge_captioner", write
    )
    arguments = ["--preset", captioner_preset, "--out", str(tmp_path / "edge")]
    command = CliRunner().invoke(app, ["export", "edge", *arguments])
    assert command.exit_code == 0, command.output
    assert command.stdout == f"{tmp_path / 'edge'}\n"
    assert calls == [("TransformerCaptioner", tmp_path / "edge", "litert")]
