"""What the command makes of its arguments; tests/serving/test_bulk.py runs it."""

import json

import pytest
from typer.testing import CliRunner

from keras_mmfusion.cli import caption_dataset
from keras_mmfusion.cli.main import app
from keras_mmfusion.zoo.presets import get_fingerprint

pytest.importorskip("apache_beam", reason="needs the extra `beam`")


@pytest.fixture
def asked(monkeypatch):
    """The arguments of every call that would caption; exporting writes a manifest alone."""
    asked = []

    def export_preset(preset, folder, beams):
        version = folder / "1"
        version.mkdir(parents=True)
        manifest = {"preset_hash": get_fingerprint(preset), "decoding": {"beams": beams}}
        (version / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return version

    def caption_in_bulk(*arguments):
        asked.append(arguments)
        return {"shards": 1, "captions": 2, "errors": 0}

    monkeypatch.setattr(caption_dataset, "export_preset", export_preset)
    monkeypatch.setattr(
        "keras_mmfusion.serving.bulk.caption_pipeline.caption_in_bulk", caption_in_bulk
    )
    return asked


def run(*arguments):
    return CliRunner().invoke(app, ["caption-dataset", "--input", "*.jpg", *map(str, arguments)])


def test_flags_that_are_not_ours_go_to_beam(asked):
    command = run(
        *("--out", "out", "--model", "served/1", "--format", "tfrecords"),
        *("--images-per-shard", 5, "--runner", "FlinkRunner", "--flink_master=host:8081"),
    )
    assert command.exit_code == 0, command.output
    assert json.loads(command.stdout) == {"shards": 1, "captions": 2, "errors": 0}
    beam = ["--runner", "FlinkRunner", "--flink_master=host:8081"]
    assert asked == [("*.jpg", "out", "served/1", beam, 5, "tfrecords")]


def test_a_preset_is_exported_once(asked, tmp_path, captioner_preset):
    arguments = ["--out", tmp_path, "--preset", captioner_preset, "--beams"]
    for _ in range(2):
        command = run(*arguments, 1)
        assert command.exit_code == 0, command.output
    version = tmp_path / "model" / "1"
    assert asked == [("*.jpg", str(tmp_path), version, [], 1000, "jsonl")] * 2
    other = run(*arguments, 2)
    assert other.exit_code == 2
    assert "other beams" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "gs://bucket/out"], "give `--model`"),
        (["--out", "out", "--preset", "captioner_flickr8k_lite9"], "Unknown preset"),
        (["--out", __file__], "`folder` must be a folder or must not exist"),
    ],
)
def test_what_cannot_be_exported_is_told_before_the_imports(asked, arguments, message, monkeypatch):
    monkeypatch.setattr(caption_dataset, "import_keras", lambda: pytest.fail("Imports Keras."))
    command = run(*arguments)
    assert command.exit_code == 2
    assert message in command.stderr
    assert "loading" not in command.stderr
    assert asked == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["b.jpg", "--out", "out"],
        ["b.jpg", "c.jpg", "d.jpg", "e.jpg", "--out", "out", "--runner", "FlinkRunner"],
        ["--out", "out", "--runner", "FlinkRunner", "b.jpg"],
        ["--out", "out", "--runner=FlinkRunner", "b.jpg"],
    ],
)
def test_files_that_the_shell_put_in_place_of_a_pattern(asked, arguments):
    command = run(*arguments)
    assert command.exit_code == 2
    assert "Put it in quotes, such as 'photos/*.jpg'" in command.stderr
    assert "Received besides: b.jpg" in command.stderr
    assert asked == []


def test_a_model_that_a_program_exported_is_of_another_preset(asked, tmp_path, captioner_preset):
    version = tmp_path / "model" / "1"
    version.mkdir(parents=True)
    (version / "manifest.json").write_text('{"decoding": {"beams": 4}}', encoding="utf-8")
    command = run("--out", tmp_path, "--preset", captioner_preset)
    assert command.exit_code == 2
    assert "is of another preset or other beams: preset: null -> " in command.stderr
    (version / "manifest.json").write_text('{"decoding": ', encoding="utf-8")
    command = run("--out", tmp_path, "--preset", captioner_preset)
    assert command.exit_code == 2
    assert "manifest.json' is not JSON" in command.stderr


def test_ctrl_c_says_that_shards_are_kept(asked, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_mmfusion.serving.bulk.caption_pipeline.caption_in_bulk", interrupt)
    command = run("--out", "out", "--model", "served/1")
    assert command.exit_code == 130
    assert "the same command goes on with the shards that are left" in command.stderr
