"""The interface of the methods that explain predictions."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Attribution:
    """The result of an `ExplanationMethod`.

    Args:
        values: dict, modality -> float array of the shape of the modality's parts.
        score: float. The score of the whole sample, if the method computes it; otherwise `None`.
        base_value: float. The score of the baseline, for methods that have one; otherwise `None`.
        standard_errors: dict like `values`, or `None`.
        interactions: float array `(modalities, modalities)` or `None`.
        checks: dict, name -> float, such as `"completeness_error"`.
    """

    values: dict
    score: float | None = None
    base_value: float | None = None
    standard_errors: dict | None = None
    interactions: np.ndarray | None = None
    checks: dict = dataclasses.field(default_factory=dict)


class ExplanationMethod:
    """Base of the methods of `explain`.

    A subclass sets `name`, the lower-case name that `explain` accepts, and `levels`, and implements
    `attribute`. Its arguments are stored as attributes of the same names. `removes_parts` is `True`
    if the method removes parts of the sample, so that `Explanation.removal` states how.
    """

    name = None
    levels = ()
    removes_parts = False

    def __init__(self):
        """A method without arguments."""

    def find_problem(self, explainable, level):
        """Returns why the method does not fit a model, or `None` if it does.

        Args:
            explainable: `Explainable`.
            level: string, one of `levels`.
        """
        return None

    def attribute(self, explainable, level, batch_size):
        """Computes the values of the parts of a sample.

        Args:
            explainable: `Explainable`.
            level: string, one of `levels`.
            batch_size: int. Maximum number of samples in a forward pass.

        Returns:
            `Attribution`.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `attribute`.")

    def __repr__(self):
        arguments = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({arguments})"
