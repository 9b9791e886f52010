"""Patients with features of several modalities, and their survival."""

import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.metrics.survival.survival_times import check_survival


@dataclasses.dataclass(frozen=True, repr=False)
class SurvivalData:
    """Patients with features of several modalities, and their survival times.

    Args:
        features: dict, modality -> float32 array `(patients, columns)`. NaN is a missing value; a
            modality of which all values are NaN is missing.
        columns: dict, modality -> sequence of the names of its columns.
        times: float array `(patients,)`, the time of the event or of the last observation.
        events: bool array `(patients,)`. `False` means censored.
        patient_ids: sequence of strings, unique.

    Raises:
        ValueError: if an array has the wrong shape, a patient is repeated, or times or events are
            invalid.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import SurvivalData
    >>> SurvivalData(
    ...     features={"clinical": np.array([[63.0, 0.0], [71.0, 1.0]])},
    ...     columns={"clinical": ("age", "is_female")},
    ...     times=[24.1, 11.9],
    ...     events=[True, False],
    ...     patient_ids=["a", "b"],
    ... )
    SurvivalData(patients=2, events=1, columns={'clinical': 2})
    """

    features: dict
    columns: dict
    times: np.ndarray
    events: np.ndarray
    patient_ids: np.ndarray

    def __post_init__(self):
        times, events = check_survival(self.times, self.events, allow_all_censored=True)
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "events", events)
        object.__setattr__(self, "patient_ids", np.asarray(self.patient_ids, "str"))
        ids, counts = np.unique(self.patient_ids, return_counts=True)
        repeated = ids[counts > 1].tolist()
        if repeated:
            raise ValueError(f"`patient_ids` has patients more than once: {repeated[:20]}")
        for name, values in self.features.items():
            shape = (len(times), len(self.columns[name]))
            if values.shape != shape:
                raise ValueError(
                    f"`features[{name!r}]` must have shape (patients, columns), {shape}. "
                    f"Received: {values.shape}"
                )
        if self.patient_ids.shape != times.shape:
            raise ValueError(
                f"`patient_ids` must have {len(times)} ids. Received: {len(self.patient_ids)}"
            )

    def __len__(self):
        return len(self.times)

    def __repr__(self):
        columns = {name: len(names) for name, names in self.columns.items()}
        return short_repr(self, patients=len(self), events=int(self.events.sum()), columns=columns)

    @property
    def targets(self):
        """The targets of `CoxLoss` and `HazardLoss`: float32 `(patients, 2)`."""
        return np.stack([self.times, self.events], axis=1).astype("float32")

    def make_inputs(self):
        """Returns the inputs of a fusion model: the modalities, and masks of missing ones."""
        masks = {
            f"{name}_mask": ~np.isnan(values).all(axis=1) for name, values in self.features.items()
        }
        return {**self.features, **masks}

    def select(self, patients):
        """Selects patients.

        Args:
            patients: sequence of ids, or a bool array `(patients,)`.

        Returns:
            `SurvivalData`.

        Raises:
            ValueError: if an id is unknown.
        """
        patients = np.asarray(patients)
        if patients.dtype.kind != "b":
            index = {name: i for i, name in enumerate(self.patient_ids.tolist())}
            unknown = [name for name in patients.tolist() if name not in index]
            if unknown:
                raise ValueError(f"The data does not have the patients {unknown[:20]}.")
            patients = np.array([index[name] for name in patients.tolist()], "int64")
        return SurvivalData(
            {name: values[patients] for name, values in self.features.items()},
            self.columns,
            self.times[patients],
            self.events[patients],
            self.patient_ids[patients],
        )

    def keep_modalities(self, modalities):
        """Returns the data with only some modalities."""
        return dataclasses.replace(
            self,
            features={name: self.features[name] for name in modalities},
            columns={name: self.columns[name] for name in modalities},
        )
