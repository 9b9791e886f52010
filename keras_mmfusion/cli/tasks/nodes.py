"""Node classification: train and evaluate."""

import enum
import pathlib
from typing import Annotated

import typer

from keras_mmfusion._progress import track
from keras_mmfusion.cli import options
from keras_mmfusion.cli.json_file import check_json_file
from keras_mmfusion.cli.results import report_result


class NodeModel(enum.StrEnum):
    """Node classifiers; their recipes, which import Keras, have the same names."""

    GCN = "gcn"
    GAT = "gat"
    APPNP = "appnp"
    GCN2 = "gcn2"


def evaluate(
    data: Annotated[pathlib.Path, typer.Option(help="Folder of Planetoid's files, ind.*.")],
    dataset: Annotated[str, typer.Option(help="cora, citeseer or pubmed.")] = "cora",
    model: Annotated[NodeModel, typer.Option(help="Architecture.")] = NodeModel.GCN,
    runs: Annotated[
        int, typer.Option(min=1, help="Number of training runs, with the seeds 0, 1, 2, ...")
    ] = 10,
    json_file: options.JsonFile = None,
):
    """Train and score a node classifier with several seeds.

    Example:
      mmfusion evaluate nodes --data planetoid --dataset cora --model gcn --json nodes.json
    """
    from keras_mmfusion.datasets.graphs.planetoid import read_planetoid

    check_json_file(json_file)
    graph = read_planetoid(data, dataset)

    from keras_mmfusion.models.node_classification import get_node_recipe, score_node_recipe

    result = score_node_recipe(
        get_node_recipe(model.value), graph, runs, progress=lambda x: track(x, "Training", runs)
    )
    report_result(result, {"data": data.resolve().name, "dataset": dataset}, json_file)
