"""`train links`, `evaluate links`, and `export links`."""

import json

import keras
import numpy as np
import pytest
from eager_fit import fit_eagerly
from models.link_prediction.social_circles import make_circles
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app
from keras_mmfusion.cli.tasks.links import LinkModel
from keras_mmfusion.models.link_prediction.link_recipe import RECIPES


def run(*command):
    return CliRunner().invoke(app, list(map(str, command)))


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The paths of a table of friendships and of a table of people."""
    folder, graph = tmp_path_factory.mktemp("circles"), make_circles()
    edges = [",".join(graph.node_ids[pair]) for pair in graph.edges.T]
    (folder / "friends.csv").write_text("\n".join(["source,target", *edges]))
    words = [[] for _ in graph.node_ids]
    for node, word in graph.attribute_index.T:
        words[node].append(f"word{word}")
    rows = [f"{user},{' '.join(each)}" for user, each in zip(graph.node_ids, words, strict=True)]
    (folder / "people.csv").write_text("\n".join(["id,attributes", *rows]))
    return "--data", folder / "friends.csv", "--nodes", folder / "people.csv"


def test_training_writes_a_model_that_evaluation_scores(tables, tmp_path):
    out, target = tmp_path / "model.keras", tmp_path / "links.json"
    with fit_eagerly():
        trained = run(
            "train", "links", *tables, "--model", "gcn", "--epochs", 1, "--split-seed", 3,
            "--out", out,
        )  # fmt: skip
    assert trained.exit_code == 0, trained.output
    assert trained.stdout == f"{out}\n"
    command = ("evaluate", "links", *tables, "--preset", out, "--json", target)
    scored = run(*command, "--split-seed", 3)
    assert scored.exit_code == 0, scored.output
    results = json.loads(target.read_text())
    assert f"{results['metrics']['hard_mrr']:.4f}\n" in scored.stdout
    protocol = results["protocol"]
    assert (protocol["data"], protocol["encoder"]) == ("friends", "GCNClassifier")
    assert protocol["links"] == len(results["samples"])
    assert {"versions", "machine", "preset_hash", "split_seed"} <= set(protocol)
    assert results["samples"][0]["source"].startswith("user")
    if keras.config.backend() == "tensorflow":
        exported = run("export", "links", "--preset", out, "--out", tmp_path / "served")
        assert exported.stdout == f"{tmp_path / 'served' / '1'}\n"


def test_command_offers_all_recipes():
    assert set(LinkModel) == set(RECIPES)


def test_bad_arguments_exit_with_2(tables, tmp_path):
    np.savez(tmp_path / "x.npz", label=np.zeros(2))
    (tmp_path / "unknown.csv").write_text("source,target\nuser1,nobody\n")
    out = ("--out", tmp_path / "model.keras")
    data, people = tables[1], tables[3]
    for command, message in (
        (("train", "links", *out, "--data", tmp_path / "x.npz"), "Missing: edge_index"),
        (("train", "links", *out, "--data", tmp_path, "--nodes", people), "`--nodes` is for a CSV"),
        (("train", "links", *out, *tables, "--model", "mlp"), "'mlp' is not one of"),
        (
            ("train", "links", *out, "--data", tmp_path / "unknown.csv", "--nodes", people),
            "the node 'nobody' is unknown",
        ),
        (
            ("evaluate", "links", *tables, "--preset", data.parent / "x.keras"),
            "must be an existing",
        ),
    ):
        failed = run(*command)
        assert failed.exit_code == 2, failed.output
        assert message in failed.stderr
