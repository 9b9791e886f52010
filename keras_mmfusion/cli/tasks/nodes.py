"""Node classification: train, evaluate and export a classifier of the nodes of a graph."""

import enum
import pathlib
from typing import Annotated

import typer

from keras_mmfusion._progress import inform
from keras_mmfusion.cli import options
from keras_mmfusion.cli.json_file import check_json_file
from keras_mmfusion.cli.model_files import (
    check_export,
    check_model,
    check_model_out,
    describe_model,
    load_model,
    save_model,
)
from keras_mmfusion.cli.results import report_result


class NodeModel(enum.StrEnum):
    """Node classifiers; their recipes, which import Keras, have the same names."""

    GCN = "gcn"
    GAT = "gat"
    APPNP = "appnp"
    GCN2 = "gcn2"


Data = Annotated[pathlib.Path, typer.Option("--data", help="Folder of Planetoid's files, ind.*.")]
Dataset = Annotated[str, typer.Option("--dataset", help="cora, citeseer or pubmed.")]


def train(
    data: Data,
    out: options.ModelOut,
    dataset: Dataset = "cora",
    model: Annotated[NodeModel, typer.Option(help="Architecture.")] = NodeModel.GCN,
    epochs: options.RecipeEpochs = None,
    learning_rate: options.RecipeLearningRate = None,
    seed: options.Seed = 0,
):
    """Train a classifier of the nodes of a graph.

    Prints where the model was saved. The settings are those of the architecture's paper. Early
    stopping uses the validation nodes.

    Example:
      mmfusion train nodes --data planetoid --dataset cora --model gcn --out gcn.keras
    """
    from keras_mmfusion.datasets.graphs.planetoid import read_planetoid

    check_model_out(out)
    graph = read_planetoid(data, dataset)

    from keras_mmfusion.models.node_classification import get_node_recipe, train_node_classifier

    recipe = options.override(
        get_node_recipe(model.value), epochs=epochs, learning_rate=learning_rate, seed=seed
    )
    inform(f"mmfusion: training for at most {recipe.epochs:,} epochs")
    save_model(train_node_classifier(recipe, graph), out)
    typer.echo(out)


def evaluate(
    data: Data,
    preset: options.Preset,
    dataset: Dataset = "cora",
    json_file: options.JsonFile = None,
):
    """Score a node classifier on the test nodes of a graph.

    Reports the accuracy on the test and the validation nodes.

    Example:
      mmfusion evaluate nodes --preset gcn.keras --data planetoid --dataset cora
    """
    from keras_mmfusion.datasets.graphs.planetoid import read_planetoid

    check_json_file(json_file)
    graph = read_planetoid(data, dataset)
    check_model(preset)

    from keras_mmfusion.models.node_classification import (
        NodeClassifier,
        evaluate_node_classifier,
    )

    model = load_model(preset, NodeClassifier)
    metadata = {
        **describe_model(preset),
        "model": type(model).__name__,
        "data": data.resolve().name,
        "dataset": dataset,
    }
    report_result(evaluate_node_classifier(model, graph), metadata, json_file)


def export(out: options.ExportOut, preset: options.Preset):
    """Export a node classifier as a SavedModel.

    Prints the folder of the version. The first version is 1; existing versions are never
    overwritten.

    Example:
      mmfusion export nodes --preset gcn.keras --out served/nodes
    """
    check_export(preset, out)

    from keras_mmfusion.models.node_classification import NodeClassifier

    model = load_model(preset, NodeClassifier)
    typer.echo(model.export(out, manifest=describe_model(preset)))
