import json

import numpy as np
import pytest
from cli.captioned_squares import CAPTIONS, write_flickr8k
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app
from keras_mmfusion.metrics import retrieval_scores
from keras_mmfusion.zoo import embedder
from keras_mmfusion.zoo.manifest import hash_files, list_preset_files


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "squares"
    folder.mkdir()
    write_flickr8k(folder)
    return folder


def run(data, preset, *arguments):
    """Runs the command and returns it with the results that it wrote, or `None`."""
    target = data.parent / "results.json"
    command = CliRunner().invoke(
        app,
        ["evaluate", "retrieval", "--data", str(data), "--preset", preset]
        + ["--json", str(target), *arguments],
    )
    return command, json.loads(target.read_text()) if target.exists() else None


def test_scores_match_those_of_embeddings(data, embedder_preset):
    command, results = run(data, embedder_preset, "--split", "dev")
    model = embedder(embedder_preset)
    images = model.embed("image", [data / "images" / name for name in CAPTIONS])
    texts = model.embed("text", [text for texts in CAPTIONS.values() for text in texts])
    expected = retrieval_scores(images @ texts.T, np.repeat(np.arange(len(CAPTIONS)), 2))

    assert command.exit_code == 0, command.output
    assert results["metrics"] == pytest.approx(expected)
    for name, value in expected.items():
        assert f"{name:26} {value:.4f}\n" in command.stdout
    samples = results["samples"]
    assert [sample["image"] for sample in samples] == list(CAPTIONS)
    ranks = [rank for sample in samples for rank in sample["text_to_image_ranks"]]
    assert np.median(ranks) == expected["text_to_image_median_rank"]
    firsts = [sample["image_to_text_rank"] for sample in samples]
    assert np.mean(np.array(firsts) <= 1) == expected["image_to_text_recall_at_1"]


def test_protocol_is_complete_and_without_paths(data, embedder_preset):
    _, results = run(data, embedder_preset, "--split", "dev", "--limit", "3")
    protocol = results["protocol"]

    assert set(results) == {"metrics", "protocol", "table", "samples"}
    assert results["table"]["summary"].startswith("3 images with 6 captions; candidates: all ")
    assert (protocol["data"], protocol["split"], protocol["limit"]) == ("squares", "dev", 3)
    assert (protocol["images"], protocol["captions"]) == (3, 6)
    assert protocol["preset"] == "embedder_small"
    assert protocol["preset_hash"] == hash_files(list_preset_files(embedder_preset))
    assert str(data.parent) not in json.dumps(results)
    assert "square" not in json.dumps(results["samples"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "validation"], "'validation'"),
        (
            ["--split", "dev", "--json", "nowhere/out.json"],
            "`--json` must be in an existing folder",
        ),
    ],
)
def test_bad_arguments_exit_with_2_and_write_nothing(data, embedder_preset, arguments, message):
    command, results = run(data, embedder_preset, *arguments)

    assert command.exit_code == 2
    assert message in command.stderr
    assert results is None
