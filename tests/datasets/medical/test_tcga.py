import os
import pathlib

import numpy as np
import pytest
from tcga_files import GENES, GROUPS, write_folds, write_tcga

from keras_mmfusion.datasets import (
    SurvivalData,
    find_group_columns,
    read_gene_groups,
    read_patient_folds,
    read_tcga,
)

SHARED = os.environ.get("KERAS_MMFUSION_TEST_DATA")


@pytest.mark.parametrize("name", ["table.csv", "table.csv.zip"])
def test_table_is_read_with_one_row_for_each_patient(tmp_path, name):
    ids = write_tcga(tmp_path / name)
    data = read_tcga(tmp_path / name)
    assert data.patient_ids.tolist() == ids and len(data) == 40
    assert data.columns == {
        "clinical": ("age", "is_female"),
        "expression": GENES,
        "copy_number": ("MYC",),
    }
    assert data.features["copy_number"][:4, 0].tolist() == [-1, 0, 1, -1]
    assert data.targets.shape == (40, 2) and 0 < data.events.sum() < 40


def edit(path, function):
    write_tcga(path)
    lines = path.read_text().splitlines()
    lines = [",".join(function(i, line.split(","))) for i, line in enumerate(lines)]
    path.write_text("\n".join(lines) + "\n")


def test_empty_cells_are_missing(tmp_path):
    def remove(i, cells):
        if i == 3:  # All clinical values, and the expression of one gene.
            cells[3] = cells[4] = cells[8] = ""
        return cells

    edit(tmp_path / "table.csv", remove)
    data = read_tcga(tmp_path / "table.csv")
    assert np.isnan(data.features["clinical"][2]).all()
    assert np.isnan(data.features["expression"][2]).tolist() == [0, 1, 0, 0, 0, 0]
    inputs = data.make_inputs()
    assert inputs["clinical_mask"][:4].tolist() == [True, True, False, True]
    assert inputs["expression_mask"].all()


def test_invalid_tables_raise_an_error(tmp_path):
    path = tmp_path / "table.csv"
    edit(path, lambda i, cells: [*cells[:5], "-1" if i == 2 else cells[5], *cells[6:]])
    with pytest.raises(ValueError, match=r"table.csv'.*1 negative times, such as -1"):
        read_tcga(path)
    edit(path, lambda i, cells: [*cells[:3], "99" if i == 41 else cells[3], *cells[4:]])
    with pytest.raises(ValueError, match="'P-000' has different values in lines 2 and 42"):
        read_tcga(path)
    edit(path, lambda i, cells: [*cells[:7], "high" if i == 1 else cells[7], *cells[8:]])
    with pytest.raises(ValueError, match="line 2: column 'MYC_rnaseq' must be a number"):
        read_tcga(path)


def test_gene_groups_and_their_columns(tmp_path):
    (tmp_path / "groups.csv").write_text(GROUPS)
    groups = read_gene_groups(tmp_path / "groups.csv")
    assert groups == {"Oncogenes": ("MYC", "RET", "KRAS"), "Suppressors": ("TP53",)}
    assert find_group_columns(groups, GENES) == {
        "Oncogenes": [0, 2, 3],
        "Suppressors": [1],
        "other": [4, 5],
    }
    (tmp_path / "groups.csv").write_text("a,b\nMYC,\n")
    with pytest.raises(ValueError, match=r"no genes in the groups \['b'\]"):
        read_gene_groups(tmp_path / "groups.csv")


def test_folds_are_read_and_shared_patients_are_rejected(tmp_path):
    ids = [f"P-{i}" for i in range(7)]
    write_folds(tmp_path / "folds", ids)
    folds = read_patient_folds(tmp_path / "folds")
    assert [len(held_out) for _, held_out in folds] == [4, 3]
    assert sorted(folds[0][1] + folds[1][1]) == ids
    file = tmp_path / "folds" / "splits_0.csv"
    file.write_text(file.read_text() + ",P-0,\n")
    with pytest.raises(ValueError, match="1 patients are in both 'train' and 'val': P-0"):
        read_patient_folds(tmp_path / "folds")
    with pytest.raises(ValueError, match="has no file splits_"):
        read_patient_folds(tmp_path)


def test_patients_are_selected_and_must_be_unique(tmp_path):
    write_tcga(tmp_path / "table.csv")
    data = read_tcga(tmp_path / "table.csv")
    part = data.select(["P-003", "P-001"])
    assert part.patient_ids.tolist() == ["P-003", "P-001"]
    np.testing.assert_array_equal(part.features["expression"], data.features["expression"][[3, 1]])
    assert len(data.select(data.events)) == data.events.sum()
    assert set(data.keep_modalities(["clinical"]).features) == {"clinical"}
    with pytest.raises(ValueError, match=r"does not have the patients \['X'\]"):
        data.select(["X"])
    with pytest.raises(ValueError, match=r"patients more than once: \['a'\]"):
        SurvivalData({}, {}, [1, 2], [1, 0], ["a", "a"])


@pytest.mark.shared_data
@pytest.mark.skipif(SHARED is None, reason="KERAS_MMFUSION_TEST_DATA is not set")
def test_published_tables_and_folds_are_read():
    folder = pathlib.Path(SHARED) / "tcga"
    for study, patients, deaths in (("blca", 373, 169), ("luad", 453, 158)):
        data = read_tcga(folder / f"tcga_{study}_all_clean.csv.zip")
        assert len(data) == patients and data.events.sum() == deaths
        folds = read_patient_folds(folder / f"splits_{study}")
        assert len(folds) == 5
        assert sum(len(data.select(held_out)) for _, held_out in folds) == patients
