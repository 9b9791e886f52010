import json

from typer.testing import CliRunner

from keras_mmfusion.cli.app import app
from keras_mmfusion.cli.tasks.nodes import NodeModel


def test_node_classifiers(tmp_path, monkeypatch):
    from datasets.planetoid_files import write_planetoid

    from keras_mmfusion.models.node_classification import GCNClassifier, NodeRecipe
    from keras_mmfusion.models.node_classification.node_recipe import RECIPES

    monkeypatch.setitem(RECIPES, "gcn", NodeRecipe(GCNClassifier, 0.01, epochs=2))
    data, target = write_planetoid(tmp_path), tmp_path / "nodes.json"
    arguments = ["evaluate", "nodes", "--data", str(data), "--dataset", "tiny"]
    command = CliRunner().invoke(app, [*arguments, "--runs", "2", "--json", str(target)])
    assert command.exit_code == 0, command.output
    assert "test_accuracy" in command.output
    results = json.loads(target.read_text())
    assert len(results["samples"]) == 2
    assert results["protocol"]["dataset"] == "tiny"
    assert results["protocol"]["recipe"]["epochs"] == 2
    assert {"versions", "machine"} <= set(results["protocol"])

    assert list(NodeModel) == list(RECIPES)
    for wrong, message in (
        (["--model", "mlp"], "'mlp' is not one of 'gcn', 'gat', 'appnp', 'gcn2'"),
        (["--dataset", "other"], "`data_dir` must contain the files of 'other'"),
        (["--json", str(tmp_path / "no" / "x.json")], "`--json` must be in an existing folder"),
        (["--json", str(tmp_path)], "`--json` must be a file to write, but"),
    ):
        command = CliRunner().invoke(app, [*arguments, *wrong])
        assert command.exit_code == 2
        assert message in command.stderr
