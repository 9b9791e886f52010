"""Visual question answering: evaluate and export a model that answers questions about images."""

import pathlib
import warnings
from typing import Annotated

import typer

from keras_mmfusion._progress import inform, track
from keras_mmfusion.cli import options
from keras_mmfusion.cli.json_file import check_json_file
from keras_mmfusion.cli.model_files import (
    check_export,
    check_model,
    describe_model,
    load_model,
)
from keras_mmfusion.cli.results import report_result


def evaluate(
    data: Annotated[
        pathlib.Path,
        typer.Option(
            help="Folder in the layout of VQA v2, easy-VQA or VQA-RAD, or with images/ and a CSV "
            "file of the columns image, question and answer."
        ),
    ],
    split: Annotated[
        str, typer.Option(help="Name of a split: of the CSV or JSON file without its suffix.")
    ],
    preset: options.Preset,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only the first questions.")] = None,
    batch_size: options.BatchSize = 32,
    json_file: options.JsonFile = None,
):
    """Score answers to questions about images.

    Reports VQA accuracy, in total and for each type of question. Questions whose image file is
    missing or cannot be read are counted and skipped.

    Example:
      mmfusion evaluate vqa --preset hf://Salesforce/blip-vqa-base --data vqa --split val
    """
    check_json_file(json_file)
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
    overwritten. The model is a BLIP or a ViLT model; export GIT as a captioner.

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
