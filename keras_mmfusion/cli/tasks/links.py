"""Link prediction: train, evaluate and export a predictor of the links of a social network."""

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


class LinkModel(enum.StrEnum):
    """Encoders of link predictors; their recipes, which import Keras, have the same names."""

    FUSION = "fusion"
    GCN = "gcn"
    GAT = "gat"


Data = Annotated[
    pathlib.Path,
    typer.Option(
        "--data",
        help="CSV file of edges with the columns source and target; a .npz file such as "
        "BlogCatalog's; or a folder of Twitch's files.",
    ),
]
Nodes = Annotated[
    pathlib.Path | None,
    typer.Option(
        "--nodes",
        help="With a CSV file: CSV file of nodes with the columns id and attributes, words "
        "separated by spaces.",
    ),
]
SplitSeed = Annotated[
    int,
    typer.Option(
        min=0, help="Seed of the held-out links: 5% for validation, 10% for the evaluation."
    ),
]


def train(
    data: Data,
    out: options.ModelOut,
    nodes: Nodes = None,
    model: Annotated[LinkModel, typer.Option(help="Encoder of the nodes.")] = LinkModel.FUSION,
    epochs: options.RecipeEpochs = None,
    learning_rate: options.RecipeLearningRate = None,
    seed: options.Seed = 0,
    split_seed: SplitSeed = 0,
):
    """Train a predictor of the links of a social network.

    Prints where the model was saved. It fuses the links of a node with its attributes. The links
    that the evaluation uses are held out; the best epoch is selected on validation links.

    Example:
      mmfusion train links --data friends.csv --nodes people.csv --out links.keras
    """
    check_model_out(out)
    graph = _read_graph(data, nodes)

    from keras_mmfusion.datasets import split_links
    from keras_mmfusion.models.link_prediction import get_link_recipe, train_link_predictor

    recipe = options.override(
        get_link_recipe(model.value), epochs=epochs, learning_rate=learning_rate, seed=seed
    )
    split = split_links(graph, seed=split_seed)
    inform(f"mmfusion: training for at most {recipe.epochs:,} epochs")
    save_model(train_link_predictor(recipe, graph, split), out)
    typer.echo(out)


def evaluate(
    data: Data,
    preset: options.Preset,
    nodes: Nodes = None,
    split_seed: SplitSeed = 0,
    json_file: options.JsonFile = None,
):
    """Score a predictor on the held-out links of a social network.

    Ranks each held-out link among random nodes, and among neighbors of neighbors (hard_...).
    --data, --nodes and --split-seed must be those of the training.

    Example:
      mmfusion evaluate links --preset links.keras --data friends.csv --nodes people.csv
    """
    check_json_file(json_file)
    check_model(preset)
    graph = _read_graph(data, nodes)

    from keras_mmfusion.datasets import split_links
    from keras_mmfusion.models.link_prediction import LinkPredictor, evaluate_link_predictor

    model = load_model(preset, LinkPredictor)
    split = split_links(graph, seed=split_seed)
    result = evaluate_link_predictor(model, graph, split.train_edges, split.test)
    metadata = {
        **describe_model(preset),
        "encoder": type(model.encoder).__name__,
        "data": data.resolve().stem,
        "split": "test",
        "split_seed": split_seed,
    }
    report_result(result, metadata, json_file)


def export(out: options.ExportOut, preset: options.Preset):
    """Export a link predictor as a SavedModel.

    Prints the folder of the version. The first version is 1; existing versions are never
    overwritten.

    Example:
      mmfusion export links --preset links.keras --out served/links
    """
    check_export(preset, out)

    from keras_mmfusion.models.link_prediction import LinkPredictor

    model = load_model(preset, LinkPredictor)
    typer.echo(model.export(out, manifest=describe_model(preset)))


def _read_graph(data, nodes):
    from keras_mmfusion.datasets import read_attributed_npz, read_edge_table, read_twitch

    if data.is_dir() or data.suffix == ".npz":
        if nodes is not None:
            raise ValueError(f"`--nodes` is for a CSV file of edges. Received: --data {data}")
        return read_twitch(data) if data.is_dir() else read_attributed_npz(data)
    return read_edge_table(data, nodes)
