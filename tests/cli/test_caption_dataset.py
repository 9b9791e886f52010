"""Arguments of the command; tests/serving/test_bulk.py runs the pipeline."""

import json

import pytest
from typer.testing import CliRunner

from keras_mmfusion.cli import caption_dataset
from keras_mmfusion.cli.app import app
from keras_mmfusion.zoo.presets import get_fingerprint

pytest.importorskip("apache_beam", reason="needs the extra `beam`")


@pytest.fixture
def calls(monkeypatch):
    """The arguments of each call that would caption; exporting only writes a manifest."""
    calls = []

    def export_preset(preset, folder, beams):
        version = folder / "1"
        version.mkdir(parents=True)
        description = {"preset": preset, "preset_hash": get_fingerprint(preset)}
        manifest = {**description, "decoding": {"beams": beams}}
        (version / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return version

    def caption_in_bulk(*arguments):
        calls.append(arguments)
        return {"shards": 1, "captions": 2, "errors": 0}

    monkeypatch.setattr(caption_dataset, "export_preset", export_preset)
    monkeypatch.setattr(
        "keras_mmfusion.serving.bulk.caption_pipeline.caption_in_bulk", caption_in_bulk
    )
    return calls


def run(*arguments):
    return CliRunner().invoke(app, ["caption-dataset", "--input", "*.jpg", *map(str, arguments)])


def test_unknown_options_go_to_beam(calls):
    command = run(
        *("--out", "out", "--saved-model", "served/1", "--format", "tfrecords"),
        *("--images-per-shard", 5, "--runner", "FlinkRunner", "--flink_master=host:8081"),
    )
    assert command.exit_code == 0, command.output
    assert json.loads(command.stdout) == {"shards": 1, "captions": 2, "errors": 0}
    beam = ["--runner", "FlinkRunner", "--flink_master=host:8081"]
    assert calls == [("*.jpg", "out", "served/1", beam, 5, "tfrecords")]


def test_preset_is_exported_once(calls, tmp_path, captioner_preset):
    arguments = ["--out", tmp_path, "--preset", captioner_preset, "--beams"]
    for _ in range(2):
        command = run(*arguments, 1)
        assert command.exit_code == 0, command.output
    version = tmp_path / "model" / "1"
    assert calls == [("*.jpg", str(tmp_path), version, [], 1000, "jsonl")] * 2
    other = run(*arguments, 2)
    assert other.exit_code == 2
    assert "other beams" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "gs://bucket/out"], "give `--saved-model`"),
        (["--out", "out", "--preset", "captioner_flickr8k_lite9"], "Unknown preset"),
        (["--out", __file__], "`folder` must be a folder or must not exist"),
    ],
)
def test_export_problems_are_errors_before_imports(calls, arguments, message, monkeypatch):
    monkeypatch.setattr(caption_dataset, "_import_beam", lambda: pytest.fail("Imports Beam."))
    command = run(*arguments)
    assert command.exit_code == 2
    assert message in command.stderr
    assert "loading" not in command.stderr
    assert calls == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["b.jpg", "--out", "out"],
        ["b.jpg", "c.jpg", "d.jpg", "e.jpg", "--out", "out", "--runner", "FlinkRunner"],
        ["--out", "out", "--runner", "FlinkRunner", "b.jpg"],
        ["--out", "out", "--runner=FlinkRunner", "b.jpg"],
    ],
)
def test_pattern_that_the_shell_expanded_is_an_error(calls, arguments):
    command = run(*arguments)
    assert command.exit_code == 2
    assert "Quote it, such as 'photos/*.jpg'" in command.stderr
    assert "Received also: b.jpg" in command.stderr
    assert calls == []


def test_handles_of_other_presets_are_errors(calls, tmp_path):
    for handle, exit_code in [("kaggle://a/b/keras/c", 0), ("kaggle://a/b/keras/d", 2)]:
        command = run("--out", tmp_path, "--preset", handle)
        assert command.exit_code == exit_code, command.output
    assert "from another preset" in command.stderr


def test_model_exported_without_preset_is_an_error(calls, tmp_path, captioner_preset):
    version = tmp_path / "model" / "1"
    version.mkdir(parents=True)
    (version / "manifest.json").write_text('{"decoding": {"beams": 4}}', encoding="utf-8")
    command = run("--out", tmp_path, "--preset", captioner_preset)
    assert command.exit_code == 2
    assert "from another preset or with other beams: preset: null -> " in command.stderr
    (version / "manifest.json").write_text('{"decoding": ', encoding="utf-8")
    command = run("--out", tmp_path, "--preset", captioner_preset)
    assert command.exit_code == 2
    assert "manifest.json' is not valid JSON" in command.stderr


def test_ctrl_c_explains_how_to_resume(calls, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_mmfusion.serving.bulk.caption_pipeline.caption_in_bulk", interrupt)
    command = run("--out", "out", "--saved-model", "served/1")
    assert command.exit_code == 130
    assert "the same command resumes with the remaining shards" in command.stderr
