"""Fusion of the columns of a table: train, evaluate, and export."""

import dataclasses
import enum
import pathlib
from typing import Annotated

import typer

from keras_mmfusion._checks import check_proportion
from keras_mmfusion._progress import track
from keras_mmfusion.cli import options
from keras_mmfusion.cli.json_file import check_json_file
from keras_mmfusion.cli.model_files import check_export, check_model, describe_model, load_model
from keras_mmfusion.cli.results import report_result
from keras_mmfusion.files.atomic_files import write_json
from keras_mmfusion.files.json_files import read_json
from keras_mmfusion.zoo.presets import resolve_preset

SCHEMA_FILE = "table_schema.json"

Data = Annotated[
    pathlib.Path,
    typer.Option("--data", help="CSV file with a header, or JSON lines; empty cells are missing."),
]
Split = Annotated[
    str | None,
    typer.Option("--split", help="Use only the rows with this value in the column split."),
]
Preset = Annotated[
    str, typer.Option("--preset", help="Preset folder that `mmfusion train fusion` wrote.")
]


class Task(enum.StrEnum):
    """What is predicted: one of the classes in the column, or a number."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


def train(
    data: Data,
    target: Annotated[str, typer.Option(help="Column to predict.")],
    out: Annotated[pathlib.Path, typer.Option(help="Preset folder to write.")],
    task: Annotated[Task, typer.Option(help="Predict a class or a number.")] = Task.CLASSIFICATION,
    number: Annotated[list[str] | None, typer.Option(help="Column of numbers; repeatable.")] = None,
    category: Annotated[
        list[str] | None, typer.Option(help="Column of categories; repeatable.")
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="Column of texts; repeatable.")] = None,
    image: Annotated[
        list[str] | None, typer.Option(help="Column of paths of image files; repeatable.")
    ] = None,
    array: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of paths of .npy files, vectors (dim,) or tokens (tokens, dim); "
            "repeatable."
        ),
    ] = None,
    split: Split = None,
    dev_fraction: Annotated[
        float | None,
        typer.Option(
            help="Fraction of the rows, such as 0.1, that selects the best epoch instead of being "
            "trained on."
        ),
    ] = None,
    encoder: options.Encoder = "efficientnet_lite0_imagenet",
    combine: Annotated[str, typer.Option(help="Fusion rule, such as concat or gated.")] = "gated",
    dim: options.Dim = 64,
    dropout: options.Dropout = 0.1,
    modality_dropout: options.ModalityDropout = 0.1,
    epochs: options.Epochs = 20,
    batch_size: options.BatchSize = 32,
    learning_rate: options.LearningRate = 1e-3,
    seed: options.Seed = 0,
):
    """Train a fusion model on a table of modalities.

    Prints the folder of the preset. Numbers and categories together are one modality; each column
    of texts, images or arrays is another. Empty cells are missing modalities, in training and in
    evaluation. Paths are relative to the table.

    Example:
      mmfusion train fusion --data products.csv --target class --text title \\
        --number price --category color --out my_fusion
    """
    from keras_mmfusion.models.fusion.table_schema import infer_schema
    from keras_mmfusion.models.presets.preset_target import check_preset_target

    check_preset_target(out)
    columns = [tuple(names or ()) for names in (number, category, text, image, array)]
    if not any(columns):
        raise ValueError(
            "Name the columns to use: `--number`, `--category`, `--text`, `--image` or `--array`."
        )
    if dev_fraction is not None:
        check_proportion(None, "--dev-fraction", dev_fraction)
    schema = infer_schema(data, target, task.value, *columns, split=split)
    rows = schema.read(data, split)
    if image:
        resolve_preset(encoder)

    from keras_mmfusion.cli.fit_progress import FitProgress
    from keras_mmfusion.models.fusion import FusionRecipe, train_fusion

    recipe = FusionRecipe(
        combine=combine,
        dim=dim,
        dropout=dropout,
        modality_dropout=modality_dropout,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
    )
    image_encoder = None
    if image:
        from keras_mmfusion.zoo import image_encoder as load_image_encoder

        image_encoder = load_image_encoder(encoder)
        schema = dataclasses.replace(schema, image_size=image_encoder.image_size)
        rows = schema.read(data, split)
    train_rows, dev_rows = (rows, None) if dev_fraction is None else _split(rows, dev_fraction)
    model = train_fusion(recipe, schema, train_rows, dev_rows, image_encoder, [FitProgress()])
    model.save_to_preset(out)
    write_json(dataclasses.asdict(schema), out / SCHEMA_FILE)
    typer.echo(out)


def evaluate(
    data: Data,
    preset: Preset,
    split: Split = None,
    batch_size: options.BatchSize = 32,
    json_file: options.JsonFile = None,
):
    """Score a fusion model on a table.

    Reports accuracy and F1 of classes, or errors and R² of numbers.

    Example:
      mmfusion evaluate fusion --preset my_fusion --data new_products.csv --json scores.json
    """
    check_json_file(json_file)
    check_model(preset)
    schema = _read_schema(preset)
    rows = schema.read(data, split)

    from keras_mmfusion.models import FusionModel
    from keras_mmfusion.models.fusion import evaluate_fusion
    from keras_mmfusion.zoo.manifest import compute_sha256

    model = load_model(preset, FusionModel)
    result = evaluate_fusion(
        model, schema, rows, batch_size, lambda batches: track(batches, "Predicting")
    )
    protocol = {
        **describe_model(preset),
        "data": data.name,
        "data_sha256": compute_sha256(data),
        "split": split,
    }
    report_result(result, protocol, json_file)


def export(out: options.ExportOut, preset: Preset):
    """Export a fusion model as a SavedModel.

    Prints the folder of the version. The first version is 1; existing versions are never
    overwritten. The inputs are the tensors of the columns and their masks.

    Example:
      mmfusion export fusion --preset my_fusion --out served/fusion
    """
    check_export(preset, out)
    schema = _read_schema(preset)

    from keras_mmfusion.models import FusionModel
    from keras_mmfusion.models.fusion import export_fusion

    model = load_model(preset, FusionModel)
    typer.echo(export_fusion(model, out, schema.make_blank_inputs(), describe_model(preset)))


def _read_schema(preset):
    from keras_mmfusion.models.fusion.table_schema import TableSchema

    path = pathlib.Path(preset) / SCHEMA_FILE
    if not path.is_file():
        raise ValueError(
            f"`--preset` must be a folder that `mmfusion train fusion` wrote; {preset} has no "
            f"{SCHEMA_FILE}."
        )
    return TableSchema(**read_json(path))


def _split(rows, dev_fraction):
    """Splits rows at random into training and dev rows, always in the same way."""
    import numpy as np

    from keras_mmfusion.cli.caption_data import SPLIT_SEED

    order = np.random.default_rng(SPLIT_SEED).permutation(len(rows))
    num_dev = round(dev_fraction * len(rows))
    if not 0 < num_dev < len(rows):
        raise ValueError(
            f"`--dev-fraction` must leave rows for both parts. Received: {dev_fraction} of "
            f"{len(rows)} rows"
        )
    return rows.select(order[num_dev:]), rows.select(order[:num_dev])
