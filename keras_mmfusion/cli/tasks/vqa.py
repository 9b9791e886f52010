"""Visual question answering: train, evaluate and export a model that answers questions."""

import pathlib
import warnings
from typing import Annotated

import typer

from keras_mmfusion._checks import check_choice
from keras_mmfusion._progress import inform, track
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
from keras_mmfusion.zoo.presets import resolve_preset

Data = Annotated[
    pathlib.Path,
    typer.Option(
        help="Folder in the layout of VQA v2, easy-VQA or VQA-RAD, or with images/ and a CSV "
        "file of the columns image, question and answer."
    ),
]


def train(
    data: Data,
    out: options.ModelOut,
    train_split: Annotated[str, typer.Option("--split", help="Split to train on.")] = "train",
    dev_split: Annotated[
        str | None, typer.Option(help="Split that selects the best epoch. Default: none.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Train this question answerer further, with its answers, instead of a new one: "
            "preset name or folder, .keras file."
        ),
    ] = None,
    encoder: options.Encoder = "efficientnet_lite0_imagenet",
    freeze_encoder: Annotated[
        bool,
        typer.Option("--freeze-encoder", help="Freeze the image encoder: images are encoded once."),
    ] = False,
    combine: Annotated[
        str, typer.Option(help="Fusion rule, such as mfb, mlb, concat or mult.")
    ] = "mfb",
    dim: options.Dim = 256,
    answers: Annotated[
        int, typer.Option(min=1, help="Number of the most frequent answers to choose from.")
    ] = 1000,
    dropout: options.Dropout = 0.2,
    epochs: options.Epochs = 10,
    batch_size: Annotated[int, typer.Option(min=1, help="Questions per batch.")] = 64,
    learning_rate: options.LearningRate = 1e-3,
    seed: options.Seed = 0,
):
    """Train a model that answers questions about images.

    Prints where the model was saved. A pretrained image encoder and words of the questions are
    fused by any rule; the answer is one of the most frequent training answers. Questions whose
    image file is missing, and those without an answer among these, are counted.

    Example:
      mmfusion train vqa --data vqa --dev-split val --freeze-encoder --out my_vqa
    """
    check_model_out(out)
    questions = _read_questions(data, train_split, None)
    dev_questions = None if dev_split is None else _read_questions(data, dev_split, None)
    if preset is None:
        resolve_preset(encoder)
    else:
        check_model(preset)

    from keras_mmfusion.cli.fit_progress import FitProgress
    from keras_mmfusion.models.question_answering import (
        QuestionAnswerer,
        QuestionAnsweringRecipe,
        train_question_answering,
    )

    recipe = QuestionAnsweringRecipe(
        combine=combine,
        dim=dim,
        num_answers=answers,
        dropout=dropout,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        freeze_image_encoder=freeze_encoder,
        seed=seed,
    )
    if preset is None:
        model = _create_model(recipe, questions, encoder)
    else:
        model = load_model(preset, QuestionAnswerer)
    with warnings.catch_warnings(record=True, action="always") as reports:
        train_question_answering(recipe, questions, model, dev_questions, [FitProgress()])
    for report in reports:
        if issubclass(report.category, UserWarning):
            inform(f"mmfusion: {report.message}")
    save_model(model, out)
    typer.echo(out)


def _create_model(recipe, questions, encoder):
    import keras_hub

    from keras_mmfusion.models.question_answering import create_question_answerer
    from keras_mmfusion.zoo.image_encoder_loading import load_encoder_and_converter

    image_encoder, converter = load_encoder_and_converter(resolve_preset(encoder))
    if converter is None:
        converter = keras_hub.layers.ImageConverter(
            image_size=image_encoder.image_size, scale=1 / 128, offset=-127 / 128
        )
    return create_question_answerer(recipe, questions, image_encoder, converter)


def evaluate(
    data: Data,
    split: Annotated[
        str, typer.Option(help="Name of a split: of the CSV or JSON file without its suffix.")
    ],
    preset: options.Preset,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only the first questions.")] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric", help="Additional score: exact-match, token-f1 or anls; repeatable."
        ),
    ] = None,
    wordnet: Annotated[
        pathlib.Path | None,
        typer.Option(help="Folder of WordNet's files, to report WUPS at 0.9 and 0.0."),
    ] = None,
    batch_size: options.BatchSize = 32,
    json_file: options.JsonFile = None,
):
    """Score answers to questions about images.

    Reports VQA accuracy, in total and for each type of question; the JSON file also has its
    bootstrap interval. Questions whose image file is missing or cannot be read are counted and
    skipped.

    Example:
      mmfusion evaluate vqa --preset hf://Salesforce/blip-vqa-base --data vqa --split val
    """
    check_json_file(json_file)
    for name in metric or ():
        check_choice(None, "--metric", name, ("exact-match", "token-f1", "anls"))
    metrics = [name.replace("-", "_") for name in metric or ()]
    questions = _read_questions(data, split, limit)
    check_model(preset)

    from keras_mmfusion.models.question_answering import (
        QuestionAnsweringModel,
        evaluate_question_answering,
    )

    result = evaluate_question_answering(
        load_model(preset, QuestionAnsweringModel),
        questions,
        batch_size,
        lambda paths: track(paths, "Answering"),
        metrics,
        wordnet,
    )
    metadata = {
        **describe_model(preset),
        "data": data.resolve().name,
        "split": split,
        "limit": limit,
    }
    report_result(result, metadata, json_file)


def export(out: options.ExportOut, preset: options.Preset):
    """Export a question answerer of raw image files as a SavedModel.

    Prints the folder of the version. The first version is 1; existing versions are never
    overwritten. Export GIT as a captioner.

    Example:
      mmfusion export vqa --preset hf://Salesforce/blip-vqa-base --out served/vqa
    """
    check_export(preset, out)

    from keras_mmfusion.models import GitCaptioner, QuestionAnsweringModel

    model = load_model(preset, QuestionAnsweringModel)
    if isinstance(model, GitCaptioner):
        raise ValueError(
            f"`--preset` {preset} is a GitCaptioner, whose SavedModel has no questions. Use "
            "`mmfusion export captioner`."
        )
    typer.echo(model.export(out, manifest=describe_model(preset)))


def _read_questions(data, split, limit):
    from keras_mmfusion.datasets.questions.question_folder import read_question_folder

    with warnings.catch_warnings(record=True, action="always") as skipped:
        questions = read_question_folder(data, split, skip_missing_images=True)
    for warning in skipped:
        inform(f"mmfusion: {warning.message}")
    if not any(questions.answers):
        raise ValueError(f"`--split` {split} has no answers to compare with.")
    return questions if limit is None else questions.take(limit)
