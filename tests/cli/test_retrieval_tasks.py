"""`train retrieval`; test_evaluate_retrieval.py scores models."""

import pytest
from cli.captioned_squares import write_flickr8k
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "squares"
    folder.mkdir()
    write_flickr8k(folder)
    return folder


def train(data, preset, *arguments):
    command = ["train", "retrieval", "--data", str(data), "--preset", preset]
    small = ["--epochs", "1", "--batch-size", "2", "--freeze-encoders"]
    return CliRunner().invoke(
        app, [*command, *small, "--out", str(data.parent / "model"), *arguments]
    )


def test_training_writes_a_model_that_evaluation_scores(data, embedder_preset):
    trained = train(data, embedder_preset, "--split", "dev", "--quiet")
    assert (trained.exit_code, trained.stderr) == (0, ""), trained.output
    assert trained.stdout == f"{data.parent / 'model'}\n"
    arguments = ["--preset", str(data.parent / "model"), "--data", str(data), "--split", "dev"]
    scored = CliRunner().invoke(app, ["evaluate", "retrieval", *arguments])
    assert scored.exit_code == 0, scored.output
    assert "image_to_text_recall_at_1" in scored.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "`--data` needs `--split`"),
        (["--split", "dev", "--batch-size", "1"], "`batch_size` must be"),
        (["--split", "dev", "--preset", "no_such"], "Unknown preset 'no_such'"),
    ],
)
def test_bad_arguments_exit_with_2(data, embedder_preset, arguments, message):
    failed = train(data, embedder_preset, *arguments)
    assert failed.exit_code == 2
    assert message in failed.stderr
    assert not (data.parent / "model").exists()
