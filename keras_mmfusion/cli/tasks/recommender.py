"""Recommendation: train and evaluate."""

import enum
import pathlib
from typing import Annotated

import typer

from keras_mmfusion._progress import track
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


class RecommenderModel(enum.StrEnum):
    """Recommenders; their recipes, which import Keras, have the same names."""

    POPULARITY = "popularity"
    BPR = "bpr"
    VBPR = "vbpr"
    LIGHT_GCN = "light_gcn"
    GRAPH_FUSION = "graph_fusion"


def train(
    data: Annotated[
        pathlib.Path,
        typer.Option(
            help="Folder with MovieLens' ratings.csv and movies.csv; or with interactions.csv, "
            "items.txt and a <modality>.npy per modality."
        ),
    ],
    out: options.ModelOut,
    model: Annotated[
        RecommenderModel, typer.Option(help="Architecture.")
    ] = RecommenderModel.GRAPH_FUSION,
    features: Annotated[
        pathlib.Path | None,
        typer.Option(help="Folder for the cached embeddings of MovieLens' movies."),
    ] = None,
    epochs: options.RecipeEpochs = None,
    batch_size: options.RecipeBatchSize = None,
    learning_rate: options.RecipeLearningRate = None,
    seed: options.Seed = 0,
):
    """Train a recommender on interactions.

    Prints where the model was saved.

    Example:
      mmfusion train recommender --data shop --model graph_fusion --out my_recommender
    """
    from keras_mmfusion.datasets import ItemFeatures, read_recommender_data
    from keras_mmfusion.zoo.movie_encoders import check_movie_encoders, load_item_features

    check_model_out(out)
    interactions, items = read_recommender_data(data)

    from keras_mmfusion.cli.fit_progress import FitProgress
    from keras_mmfusion.models.recommendation import get_recommender_recipe, train_recommender

    recipe = options.override(
        get_recommender_recipe(model.value),
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
    )
    if recipe.model.uses_features:
        check_movie_encoders(items, features)
        items = load_item_features(items, features, lambda batches: track(batches, "Encoding"))
    else:
        items = ItemFeatures(items.item_ids, {})
    trained = train_recommender(recipe, interactions, items, callbacks=[FitProgress()])
    save_model(trained, out)
    typer.echo(out)


def evaluate(
    data: Annotated[
        pathlib.Path,
        typer.Option(
            help="CSV file of later interactions, with the columns user, item and timestamp or "
            "those of MovieLens' ratings.csv."
        ),
    ],
    preset: options.Preset,
    json_file: options.JsonFile = None,
):
    """Score a recommender on later interactions.

    Reports recall@k and NDCG@k, also of new items. Each user's items are ranked among all items,
    without those of the training data.

    Example:
      mmfusion evaluate recommender --preset my_recommender --data later.csv --json scores.json
    """
    from keras_mmfusion.datasets import read_any_interactions

    check_json_file(json_file)
    test = read_any_interactions(data)
    check_model(preset)

    from keras_mmfusion.models import Recommender
    from keras_mmfusion.models.recommendation import evaluate_recommender
    from keras_mmfusion.zoo.manifest import compute_sha256

    model = load_model(preset, Recommender)
    result = evaluate_recommender(model, test)
    protocol = {
        **describe_model(preset),
        "model": type(model).__name__,
        "modalities": list(model.feature_dims),
        "data": data.name,
        "data_sha256": compute_sha256(data),
    }
    report_result(result, protocol, json_file)


def export(out: options.ExportOut, preset: options.Preset):
    """Export a recommender as a SavedModel.

    Prints the folder of the version. The first version is 1; existing versions are never
    overwritten.

    Example:
      mmfusion export recommender --preset my_recommender --out served/recommender
    """
    check_export(preset, out)

    from keras_mmfusion.models import Recommender
    from keras_mmfusion.models.recommendation import export_recommender

    model = load_model(preset, Recommender)
    typer.echo(export_recommender(model, out, manifest=describe_model(preset)))
