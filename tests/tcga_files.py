"""Small files in the formats of the TCGA data of MCAT."""

import itertools
import zipfile

import numpy as np

GENES = ("MYC", "TP53", "RET", "KRAS", "EGFR", "ALK")
GROUPS = "Oncogenes,Suppressors\nMYC,TP53\nRET,\nKRAS,\n"


def write_tcga(path, patients=40, seed=0, informative=True):
    """Writes a table in which the expression of MYC raises the hazard; returns the patient ids."""
    rng = np.random.default_rng(seed)
    expression = rng.normal(size=(patients, len(GENES))).round(4)
    age = rng.integers(40, 85, patients)
    risk = 1.5 * expression[:, 0] if informative else np.zeros(patients)
    times = (20 * rng.exponential(np.exp(-risk))).round(2) + 0.1
    censored = (rng.random(patients) < 0.3).astype(int)
    header = ["", "case_id", "slide_id", "age", "is_female", "survival_months", "censorship"]
    header += [f"{gene}_rnaseq" for gene in GENES] + ["MYC_cnv"]
    lines = [",".join(header)]
    for i in range(patients):
        cells = [i, f"P-{i:03d}", f"P-{i:03d}-01", age[i], i % 2, f"{times[i]:.2f}", censored[i]]
        lines.append(",".join(map(str, [*cells, *expression[i], i % 3 - 1])))
    lines.append(lines[1].replace("P-000-01", "P-000-02"))  # A second slide of the patient.
    text = "\n".join(lines) + "\n"
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("dataset_csv/table.csv", text)
    else:
        path.write_text(text)
    return [f"P-{i:03d}" for i in range(patients)]


def write_folds(folder, ids, count=2):
    """Writes files of folds with the columns train and val."""
    folder.mkdir()
    for fold in range(count):
        held_out = ids[fold::count]
        train = [name for name in ids if name not in held_out]
        pairs = itertools.zip_longest(train, held_out, fillvalue="")
        rows = [f"{i},{a},{b}" for i, (a, b) in enumerate(pairs)]
        (folder / f"splits_{fold}.csv").write_text("\n".join([",train,val", *rows]) + "\n")
