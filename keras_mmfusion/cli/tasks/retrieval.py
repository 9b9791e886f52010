"""Image-text retrieval: fine-tune, evaluate and export an embedder of images and texts."""

from typing import Annotated

import typer

from keras_mmfusion._progress import track
from keras_mmfusion.cli import options
from keras_mmfusion.cli.caption_data import read_pairs, read_pairs_to_score
from keras_mmfusion.cli.model_files import (
    check_export,
    check_model,
    check_model_out,
    describe_model,
    load_model,
    save_model,
)
from keras_mmfusion.cli.results import report_result

PRESET = "image_text_flickr8k"


def train(
    out: options.ModelOut,
    data: options.CaptionFolder = None,
    split: options.CaptionSplit = None,
    images: options.Images = None,
    captions: options.Captions = None,
    preset: options.Preset = PRESET,
    freeze_encoders: Annotated[
        bool, typer.Option("--freeze-encoders", help="Train only the projectors.")
    ] = False,
    epochs: options.Epochs = 4,
    batch_size: Annotated[int, typer.Option(help="Images per batch.")] = 64,
    learning_rate: options.LearningRate = 1e-4,
    seed: options.Seed = 0,
):
    """Fine-tune image-text retrieval.

    Prints where the model was saved. Training starts from a preset; matching images and captions
    get similar embeddings, the other pairs of a batch are the negatives.

    Example:
      mmfusion train retrieval --images photos --captions captions.csv --out my_embedder
    """
    check_model_out(out)
    pairs = read_pairs(data, split, images, captions)
    check_model(preset)

    from keras_mmfusion.cli.fit_progress import FitProgress
    from keras_mmfusion.models import ContrastiveModel
    from keras_mmfusion.models.retrieval import RetrievalRecipe, train_retrieval

    recipe = RetrievalRecipe(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        freeze_encoders=freeze_encoders,
        seed=seed,
    )
    model = load_model(preset, ContrastiveModel)
    train_retrieval(recipe, pairs, model, callbacks=[FitProgress()])
    save_model(model, out)
    typer.echo(out)


def evaluate(
    data: options.CaptionFolder = None,
    split: options.CaptionSplit = None,
    images: options.Images = None,
    captions: options.Captions = None,
    preset: options.Preset = PRESET,
    limit: options.Limit = None,
    batch_size: options.BatchSize = 32,
    rerank: options.Rerank = None,
    json_file: options.JsonFile = None,
):
    """Score image-text retrieval.

    Reports recall@k and median rank, in both directions.

    Example:
      mmfusion evaluate retrieval --data flickr8k --split dev --json scores.json
    """
    pairs, data_protocol = read_pairs_to_score(data, split, images, captions, limit, json_file)
    check_model(preset)

    from keras_mmfusion.models import ContrastiveModel
    from keras_mmfusion.models.retrieval.retrieval_evaluation import evaluate_retrieval

    model = load_model(preset, ContrastiveModel)
    options.check_rerank(model, rerank)
    result = evaluate_retrieval(
        model, pairs, batch_size, lambda paths: track(paths, "Images"), rerank
    )
    report_result(result, {**describe_model(preset), **data_protocol}, json_file)


def export(out: options.ExportOut, preset: options.Preset = PRESET):
    """Export an embedder of raw image files as a SavedModel.

    Prints the folder of the version. The first version is 1; existing versions are never
    overwritten.

    Example:
      mmfusion export retrieval --out served/embedder
    """
    check_export(preset, out)

    from keras_mmfusion.models import ContrastiveModel
    from keras_mmfusion.models.retrieval import export_retrieval

    model = load_model(preset, ContrastiveModel)
    typer.echo(export_retrieval(model, out, describe_model(preset)))
