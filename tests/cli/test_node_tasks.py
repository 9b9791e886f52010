"""`train nodes` and `evaluate nodes`."""

import json

import pytest
from datasets.planetoid_files import write_planetoid
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app
from keras_mmfusion.cli.tasks.nodes import NodeModel
from keras_mmfusion.models.node_classification import get_node_recipe
from keras_mmfusion.models.node_classification.node_recipe import RECIPES


def run(action, folder, *arguments):
    command = [action, "nodes", "--data", folder, "--dataset", "tiny", *arguments]
    return CliRunner().invoke(app, list(map(str, command)))


@pytest.mark.parametrize("name", ["model.keras", "preset"])
def test_training_writes_a_model_that_evaluation_scores(tmp_path, name):
    data, out = write_planetoid(tmp_path), tmp_path / name
    trained = run("train", data, "--model", "gcn", "--epochs", 2, "--seed", 1, "--out", out)
    assert trained.exit_code == 0, trained.output
    assert trained.stdout == f"{out}\n"
    target = tmp_path / "nodes.json"
    scored = run("evaluate", data, "--preset", out, "--json", target)
    assert scored.exit_code == 0, scored.output
    results = json.loads(target.read_text())
    accuracy = results["metrics"]["test_accuracy"]
    assert f"test_accuracy       {accuracy:.4f}\n" in scored.stdout
    hits = [each["label"] == each["prediction"] for each in results["samples"]]
    assert accuracy == pytest.approx(sum(hits) / len(hits))
    protocol = results["protocol"]
    assert (protocol["dataset"], protocol["preset"]) == ("tiny", name)
    assert protocol["model"] == "GCNClassifier"
    assert {"versions", "machine", "preset_hash"} <= set(protocol)
    assert str(tmp_path) not in json.dumps(results)


def test_command_offers_all_recipes():
    assert list(NodeModel) == list(RECIPES)
    assert get_node_recipe(NodeModel.GCN.value) is RECIPES["gcn"]


def test_bad_arguments_exit_with_2(tmp_path):
    data = write_planetoid(tmp_path)
    out = ("--out", tmp_path / "model.keras")
    for command, message in (
        (
            ("train", data, *out, "--model", "mlp"),
            "'mlp' is not one of 'gcn', 'gat', 'appnp', 'gcn2'",
        ),
        (
            ("train", data, *out, "--dataset", "other"),
            "`data_dir` must contain the files of 'other'",
        ),
        (("train", data, "--out", tmp_path / "no" / "x.keras"), "`--out` must be a file in an"),
        (("evaluate", data, "--preset", tmp_path / "x.keras"), "must be an existing .keras file"),
        (("evaluate", data, "--preset", "x", "--json", tmp_path), "`--json` must be a file to"),
        (
            ("evaluate", data, "--preset", "x", "--json", tmp_path / "no" / "x.json"),
            "`--json` must be in an existing folder",
        ),
    ):
        failed = run(*command)
        assert failed.exit_code == 2
        assert message in failed.stderr
