"""Survival of patients: train, evaluate, and export."""

import pathlib
from typing import Annotated

import typer

from keras_mmfusion.cli import options
from keras_mmfusion.cli.json_file import check_json_file
from keras_mmfusion.cli.model_files import check_export, check_model, describe_model, load_model
from keras_mmfusion.cli.results import report_result
from keras_mmfusion.files.atomic_files import write_json
from keras_mmfusion.files.json_files import read_json

COLUMNS_FILE = "columns.json"

Data = Annotated[
    pathlib.Path,
    typer.Option(
        "--data",
        help="CSV file, or ZIP archive of one, with the columns case_id, age, is_female, "
        "survival_months, censorship (1 for censored), and GENE_rnaseq, GENE_cnv or GENE_mut.",
    ),
]
Folds = Annotated[
    pathlib.Path | None,
    typer.Option(
        "--folds", help="Folder of files splits_*.csv with the columns train and val of case ids."
    ),
]
Fold = Annotated[int, typer.Option("--fold", min=0, help="Number of the fold of --folds.")]
Preset = Annotated[
    str, typer.Option("--preset", help="Preset folder that `mmfusion train survival` wrote.")
]


def train(
    data: Data,
    out: Annotated[pathlib.Path, typer.Option(help="Preset folder to write.")],
    groups: Annotated[
        pathlib.Path | None,
        typer.Option(help="CSV file with a column of genes for each group, which become tokens."),
    ] = None,
    folds: Folds = None,
    fold: Fold = 0,
    combine: Annotated[str, typer.Option(help="Fusion rule, such as concat or gated.")] = "concat",
    dim: options.Dim = 16,
    feature_dropout: Annotated[float, typer.Option(help="Dropout rate of the genes.")] = 0.5,
    dropout: options.Dropout = 0.2,
    modality_dropout: options.ModalityDropout = 0.1,
    epochs: options.Epochs = 30,
    batch_size: options.BatchSize = 32,
    learning_rate: options.LearningRate = 1e-3,
    seed: options.Seed = 0,
):
    """Train a survival model on genes and clinical records.

    Prints the folder of the preset. With --folds, only the training patients of a fold are used.

    Example:
      mmfusion train survival --data tcga_luad_all_clean.csv.zip --groups signatures.csv \\
        --folds splits_luad --fold 0 --out my_survival
    """
    from keras_mmfusion.datasets import find_group_columns, read_gene_groups, read_tcga
    from keras_mmfusion.models.presets.preset_target import check_preset_target

    check_preset_target(out)
    patients = read_tcga(data)
    if folds is not None:
        patients = patients.select(_read_fold(folds, fold)[0])
    columns = {}
    if groups is not None:
        genes = read_gene_groups(groups)
        columns = {
            name: list(find_group_columns(genes, names).values())
            for name, names in patients.columns.items()
            if name != "clinical"
        }

    from keras_mmfusion.cli.fit_progress import FitProgress
    from keras_mmfusion.models.survival import SurvivalRecipe, train_survival

    recipe = SurvivalRecipe(
        combine=combine,
        dim=dim,
        feature_dropout=feature_dropout,
        dropout=dropout,
        modality_dropout=modality_dropout,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
    )
    model = train_survival(recipe, patients, columns, [FitProgress()])
    model.save_to_preset(out)
    write_json({name: list(each) for name, each in patients.columns.items()}, out / COLUMNS_FILE)
    typer.echo(out)


def evaluate(
    data: Data,
    preset: Preset,
    folds: Folds = None,
    fold: Fold = 0,
    batch_size: options.BatchSize = 32,
    json_file: options.JsonFile = None,
):
    """Score a survival model on patients.

    Reports the concordance index of Harrell and of Uno, and the integrated Brier score. With
    --folds, the held-out patients of a fold are scored, and its training patients estimate the
    distribution of censoring.

    Example:
      mmfusion evaluate survival --preset my_survival --data tcga_luad_all_clean.csv.zip \\
        --folds splits_luad --fold 0 --json scores.json
    """
    from keras_mmfusion.datasets import read_tcga

    check_json_file(json_file)
    check_model(preset)
    columns = _read_columns(preset)
    patients, train_patients = read_tcga(data), None
    different = [name for name in columns if list(patients.columns.get(name, ())) != columns[name]]
    if different:
        raise ValueError(
            f"`--data` has other columns of the modality {different[0]!r} than the training data."
        )
    if folds is not None:
        train_ids, held_out_ids = _read_fold(folds, fold)
        train_patients, patients = patients.select(train_ids), patients.select(held_out_ids)

    from keras_mmfusion.models import SurvivalModel
    from keras_mmfusion.models.survival import evaluate_survival
    from keras_mmfusion.zoo.manifest import compute_sha256

    model = load_model(preset, SurvivalModel)
    result = evaluate_survival(model, patients, train_patients, batch_size)
    protocol = {
        **describe_model(preset),
        "data": data.name,
        "data_sha256": compute_sha256(data),
        "fold": None if folds is None else f"{folds.name}/{fold}",
    }
    report_result(result, protocol, json_file)


def export(out: options.ExportOut, preset: Preset):
    """Export a survival model as a SavedModel.

    Prints the folder of the version. The first version is 1; existing versions are never
    overwritten. The inputs are the modalities and their masks, the output the survival at each
    boundary.

    Example:
      mmfusion export survival --preset my_survival --out served/survival
    """
    check_export(preset, out)
    columns = _read_columns(preset)

    import numpy as np

    from keras_mmfusion.models import SurvivalModel

    model = load_model(preset, SurvivalModel)
    blank = {name: np.zeros((1, len(columns[name])), "float32") for name in model.modalities}
    typer.echo(model.export(out, blank, describe_model(preset)))


def _read_columns(preset):
    path = pathlib.Path(preset) / COLUMNS_FILE
    if not path.is_file():
        raise ValueError(
            f"`--preset` must be a folder that `mmfusion train survival` wrote; {preset} has no "
            f"{COLUMNS_FILE}."
        )
    return read_json(path)


def _read_fold(folder, fold):
    from keras_mmfusion.datasets import read_patient_folds

    folds = read_patient_folds(folder)
    if fold >= len(folds):
        raise ValueError(f"`--fold` must be from 0 to {len(folds) - 1}. Received: {fold}")
    return folds[fold]
