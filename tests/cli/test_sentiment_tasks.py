import json

import numpy as np
import pytest
from models.sentiment.small_utterances import make_utterances, write_utterances
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app
from keras_mmfusion.models.sentiment import evaluate_sentiment
from keras_mmfusion.zoo import sentiment
from keras_mmfusion.zoo.manifest import compute_sha256, hash_files, list_preset_files


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "others.npz"
    write_utterances(path)
    return path


def run(data, preset, *arguments):
    """Runs the command and returns it with the results that it wrote, or `None`."""
    target = data.parent / "results.json"
    command = CliRunner().invoke(
        app,
        ["evaluate", "sentiment", "--data", str(data), "--preset", preset]
        + ["--json", str(target), *arguments],
    )
    return command, json.loads(target.read_text()) if target.exists() else None


def test_results_and_protocol(data, sentiment_preset):
    command, results = run(data, sentiment_preset)
    expected = evaluate_sentiment(sentiment(sentiment_preset), make_utterances())

    assert command.exit_code == 0, command.output
    assert set(results) == {"metrics", "protocol", "table", "samples"}
    assert results["metrics"] == pytest.approx(expected.metrics)
    for name, value in expected.metrics.items():
        assert f"{name:15} {value:.4f}\n" in command.stdout
    assert [each["utterance_id"] for each in results["samples"]] == [
        each["utterance_id"] for each in expected.samples
    ]

    protocol = results["protocol"]
    assert (protocol["data"], protocol["data_sha256"]) == ("others.npz", compute_sha256(data))
    assert (protocol["videos"], protocol["utterances"]) == (6, 18)
    assert protocol["preset"] == "sentiment_small"
    assert protocol["preset_hash"] == hash_files(list_preset_files(sentiment_preset))
    assert {"versions", "machine"} <= set(protocol)
    assert str(data.parent) not in json.dumps(results)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"audio": None}, "others.npz' has no array 'audio'"),
        ({"text": np.zeros((18, 7), "float32")}, "Array 'text' has 7 features"),
        ({"video": np.full((18, 4), np.nan)}, "Array 'video' of"),
        ({"audio": np.array([{}] * 18)}, "Pickled objects are never loaded"),
    ],
)
def test_invalid_files_exit_with_2_and_write_nothing(data, sentiment_preset, changes, message):
    write_utterances(data, **changes)
    command, results = run(data, sentiment_preset)

    assert command.exit_code == 2
    assert message in command.stderr and "others.npz" in command.stderr
    assert results is None


def test_results_need_an_existing_folder(data, sentiment_preset):
    command, results = run(data, sentiment_preset, "--json", "nowhere/out.json")

    assert command.exit_code == 2
    assert "`--json` must be in an existing folder" in command.stderr
    assert results is None


@pytest.mark.parametrize("name", ["model", "model.keras"])
def test_training_writes_a_model_that_evaluation_scores(data, name):
    out = data.parent / name
    small = ["--dim", "8", "--epochs", "40", "--learning-rate", "0.01"]
    small += ["--dropout", "0", "--feature-dropout", "0", "--modality-dropout", "0"]
    trained = CliRunner().invoke(
        app, ["train", "sentiment", "--data", str(data), "--out", str(out), *small]
    )
    assert trained.exit_code == 0, trained.output
    assert trained.stdout == f"{out}\n"
    command, results = run(data, str(out))
    assert command.exit_code == 0, command.output
    assert results["metrics"]["accuracy"] > 0.9
    assert results["protocol"]["preset"] == name


def test_bad_targets_of_training_exit_with_2(data):
    trained = CliRunner().invoke(
        app, ["train", "sentiment", "--data", str(data), "--out", str(data.parent)]
    )
    assert trained.exit_code == 2
    assert "the folder must be new, empty, or another preset" in trained.stderr
