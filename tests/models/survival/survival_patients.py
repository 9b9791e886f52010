"""Patients whose hazard depends on one gene and on age."""

import numpy as np

from keras_mmfusion.datasets import SurvivalData


def make_patients(patients=120, seed=0):
    rng = np.random.default_rng(seed)
    genes, age = rng.normal(size=(patients, 5)), rng.normal(60, 10, patients)
    risk = 1.2 * genes[:, 1] + 0.08 * (age - 60)
    times, censoring = 20 * rng.exponential(np.exp(-risk)), rng.exponential(60, patients)
    clinical = np.stack([age, rng.integers(0, 2, patients)], axis=1)
    clinical[::7] = np.nan  # Without a record.
    return SurvivalData(
        {"expression": genes.astype("float32"), "clinical": clinical.astype("float32")},
        {"expression": tuple("ABCDE"), "clinical": ("age", "is_female")},
        np.minimum(times, censoring),
        times <= censoring,
        [f"P-{i}" for i in range(patients)],
    )


GROUPS = {"expression": [[0, 1], [2, 3, 4]]}
