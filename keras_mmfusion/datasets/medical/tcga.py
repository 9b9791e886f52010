"""Tables of The Cancer Genome Atlas (TCGA) as prepared for MCAT: genes, records, and survival."""

import contextlib
import math
import os
import pathlib
import tempfile
import zipfile

import numpy as np

from keras_mmfusion.datasets.medical.patient_splits import check_disjoint
from keras_mmfusion.datasets.medical.survival_data import SurvivalData
from keras_mmfusion.files.csv_files import read_csv

CLINICAL = ("age", "is_female")
_SUFFIXES = {"expression": "_rnaseq", "copy_number": "_cnv", "mutations": "_mut"}


def read_tcga(path):
    """Reads patients of a TCGA study: gene expression, copy number, mutations, and survival.

    A patient with several slides has a row for each, with the same values, and is read once.
    Times are months. Empty cells are missing.

    Args:
        path: string or path of a CSV file, or of a ZIP archive of one, such as
            `tcga_blca_all_clean.csv.zip`, with the columns `case_id`, `age`, `is_female`,
            `survival_months`, `censorship` (1 for censored), and `GENE_rnaseq`, `GENE_cnv` and
            `GENE_mut`.

    Returns:
        `SurvivalData` with the modality `"clinical"` and those of `"expression"`, `"copy_number"`
        and `"mutations"` that the file has. Their columns are the names of genes.

    Raises:
        ValueError: if the file or a cell is invalid, a time is negative, or the rows of a patient
            differ.

    Reference:
        Chen et al., "Multimodal Co-Attention Transformer for Survival Prediction in Gigapixel
        Whole Slide Images" (MCAT), 2021.
    """
    with _open_table(path) as table:
        required = ("case_id", *CLINICAL, "survival_months", "censorship")
        patients, first_lines, names = {}, {}, None
        for line, row in read_csv(table, required):
            if names is None:
                names = _find_columns(row)
            read = [*CLINICAL, "survival_months", "censorship", *sum(names.values(), [])]
            values = _parse_numbers(path, line, read, [row[name] for name in read])
            known = patients.setdefault(row["case_id"], values)
            first_lines.setdefault(row["case_id"], line)
            if not np.array_equal(known, values, equal_nan=True):
                raise ValueError(
                    f"{os.fspath(path)!r}: patient {row['case_id']!r} has different values in "
                    f"lines {first_lines[row['case_id']]} and {line}."
                )
    if not patients:
        raise ValueError(f"{os.fspath(path)!r} has no rows.")
    table = np.array(list(patients.values()))
    splits = np.cumsum([len(CLINICAL), 2, *(len(columns) for columns in names.values())])[:-1]
    clinical, outcome, *genes = np.split(table, splits, axis=1)
    features = {"clinical": clinical, **dict(zip(names, genes, strict=True))}
    columns = {
        name: tuple(each.removesuffix(_SUFFIXES[name]) for each in names[name]) for name in names
    }
    try:
        return SurvivalData(
            {name: values.astype("float32") for name, values in features.items()},
            {"clinical": CLINICAL, **columns},
            times=outcome[:, 0],
            events=1 - outcome[:, 1],
            patient_ids=list(patients),
        )
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)!r}: {error}") from error


def read_gene_groups(path):
    """Reads groups of genes, such as MCAT's `signatures.csv`.

    Args:
        path: string or path of a CSV file with a column of genes for each group.

    Returns:
        Dict, group -> tuple of the names of its genes. A gene can be in several groups.

    Raises:
        ValueError: if the file is invalid or a group is empty.
    """
    groups = {}
    for _, row in read_csv(path):
        for name, gene in row.items():
            groups.setdefault(name, []).extend([gene] if gene else [])
    empty = [name for name, genes in groups.items() if not genes]
    if empty or not groups:
        raise ValueError(f"{os.fspath(path)!r} has no genes in the groups {empty}.")
    return {name: tuple(dict.fromkeys(genes)) for name, genes in groups.items()}


def find_group_columns(groups, columns):
    """Returns the columns of each group, and of the genes that are in no group.

    Args:
        groups: dict, group -> sequence of genes.
        columns: sequence of the names of genes.

    Returns:
        Dict, group -> list of indices into `columns`; groups without a column are left out, and
        `"other"` has the columns of no group.

    Example:

    >>> find_group_columns({"Oncogenes": ["MYC", "RET"]}, ["MYC", "TP53", "RET"])
    {'Oncogenes': [0, 2], 'other': [1]}
    """
    groups = {name: set(genes) for name, genes in groups.items()}
    found = {
        name: [i for i, gene in enumerate(columns) if gene in genes]
        for name, genes in groups.items()
    }
    used = set().union(*found.values())
    found["other"] = [i for i in range(len(columns)) if i not in used]
    return {name: indices for name, indices in found.items() if indices}


def read_patient_folds(folder):
    """Reads the folds of a cross-validation, such as MCAT's `splits_0.csv` to `splits_4.csv`.

    Args:
        folder: string or path of a folder of files `splits_*.csv` with the columns `train` and
            `val` of patient ids.

    Returns:
        List of tuples of two lists, the ids of training and of held-out patients.

    Raises:
        ValueError: if the folder has no such file, a file is invalid, or a patient is in both
            parts of a fold, or held out in two folds.
    """
    paths = sorted(pathlib.Path(folder).glob("splits_*.csv"))
    if not paths:
        raise ValueError(f"{os.fspath(folder)!r} has no file splits_*.csv.")
    folds = []
    for path in paths:
        rows = [row for _, row in read_csv(path, ("train", "val"))]
        train, held_out = ([row[name] for row in rows if row[name]] for name in ("train", "val"))
        try:
            check_disjoint({"train": train, "val": held_out})
        except ValueError as error:
            raise ValueError(f"{str(path)!r}: {error}") from error
        folds.append((train, held_out))
    names = [f"val of {path.name}" for path in paths]
    check_disjoint({name: held_out for name, (_, held_out) in zip(names, folds, strict=True)})
    return folds


@contextlib.contextmanager
def _open_table(path):
    """Yields the path of the CSV file, which is unpacked first if it is in an archive."""
    if not zipfile.is_zipfile(path):
        yield path
        return
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        members = [name for name in archive.namelist() if not name.startswith("__MACOSX/")]
        members = [name for name in members if not name.endswith("/")]
        if len(members) != 1:
            raise ValueError(
                f"{os.fspath(path)!r} must contain one CSV file. Received: {members[:10]}"
            )
        table = pathlib.Path(folder) / "table.csv"
        table.write_bytes(archive.read(members[0]))
        yield table


def _find_columns(row):
    """Returns the columns of each molecular modality, by their suffixes."""
    found = {
        name: [column for column in row if column.endswith(suffix)]
        for name, suffix in _SUFFIXES.items()
    }
    return {name: columns for name, columns in found.items() if columns}


def _parse_numbers(path, line, names, cells):
    """Returns the cells as floats, NaN for an empty one."""
    try:
        values = [float(cell or "nan") for cell in cells]
    except ValueError:
        values = [math.inf if not _is_number(cell) else 0.0 for cell in cells]
    if math.inf in values or -math.inf in values:
        name, cell = next(
            (name, cell)
            for name, cell, value in zip(names, cells, values, strict=True)
            if math.isinf(value)
        )
        raise ValueError(
            f"{os.fspath(path)!r}, line {line}: column {name!r} must be a number. Received: "
            f"{cell!r}"
        )
    return values


def _is_number(cell):
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return True
