"""Sentiment analysis of video utterances: train and evaluate."""

import os
import pathlib
from typing import Annotated

import typer

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

Data = Annotated[
    pathlib.Path,
    typer.Option(
        "--data",
        help=".npz file with the arrays text, audio and video (utterances, features), label "
        "(0 negative, 1 positive), video_id and utterance_id.",
    ),
]


def train(
    data: Data,
    out: options.ModelOut,
    dim: options.Dim = 32,
    dropout: options.Dropout = 0.2,
    feature_dropout: Annotated[float, typer.Option(help="Dropout rate of the features.")] = 0.5,
    modality_dropout: options.ModalityDropout = 0.3,
    epochs: options.Epochs = 15,
    batch_size: Annotated[int, typer.Option(min=1, help="Videos per batch.")] = 13,
    learning_rate: options.LearningRate = 3e-3,
    seed: options.Seed = 0,
):
    """Train a sentiment classifier of video utterances.

    Prints where the model was saved. Text, audio and video features of each utterance are fused; a
    Transformer over the utterances of a video classifies each as negative or positive.

    Example:
      mmfusion train sentiment --data train.npz --out my_sentiment
    """
    from keras_mmfusion.datasets import read_cmu_mosi

    check_model_out(out)
    utterances = read_cmu_mosi(data)

    from keras_mmfusion.cli.fit_progress import FitProgress
    from keras_mmfusion.models.sentiment import SentimentRecipe, train_sentiment

    recipe = SentimentRecipe(
        dim=dim,
        feature_dropout=feature_dropout,
        dropout=dropout,
        modality_dropout=modality_dropout,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
    )
    save_model(train_sentiment(recipe, utterances, callbacks=[FitProgress()]), out)
    typer.echo(out)


def evaluate(
    data: Data,
    preset: options.Preset = "sentiment_mosi",
    batch_size: Annotated[int, typer.Option(min=1, help="Videos per batch.")] = 16,
    json_file: options.JsonFile = None,
):
    """Score a sentiment classifier of video utterances.

    Reports accuracy and F1.

    Example:
      mmfusion evaluate sentiment --data test.npz --json scores.json
    """
    from keras_mmfusion.datasets import read_cmu_mosi

    check_json_file(json_file)
    utterances = read_cmu_mosi(data)
    check_model(preset)

    from keras_mmfusion.models import ConversationModel
    from keras_mmfusion.models.sentiment.sentiment_evaluation import (
        check_features,
        evaluate_sentiment,
    )
    from keras_mmfusion.zoo.manifest import compute_sha256

    model = load_model(preset, ConversationModel)
    try:
        check_features(model, utterances.features)
    except ValueError as error:
        raise ValueError(f"{os.fspath(data)!r} does not fit the model. {error}") from error
    result = evaluate_sentiment(model, utterances, batch_size)
    protocol = {**describe_model(preset), "data": data.name, "data_sha256": compute_sha256(data)}
    report_result(result, protocol, json_file)


def export(out: options.ExportOut, preset: options.Preset = "sentiment_mosi"):
    """Export a sentiment classifier as a SavedModel.

    Prints the folder of the version. The first version is 1; existing versions are never
    overwritten.

    Example:
      mmfusion export sentiment --out served/sentiment
    """
    check_export(preset, out)

    from keras_mmfusion.models import ConversationModel
    from keras_mmfusion.models.sentiment import export_sentiment

    model = load_model(preset, ConversationModel)
    typer.echo(export_sentiment(model, out, describe_model(preset)))
