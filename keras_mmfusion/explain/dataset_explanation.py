"""The contributions of modalities, averaged over samples."""

import dataclasses
import json
import pathlib

import numpy as np

from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.explain.figure_files import get_figure_class, save_figure
from keras_mmfusion.explain.value_colors import NEGATIVE, POSITIVE
from keras_mmfusion.metrics.significance import bootstrap_interval


@dataclasses.dataclass(frozen=True, repr=False)
class DatasetExplanation:
    """The contributions of the modalities to the predictions for several samples.

    Args:
        modalities: tuple of strings.
        values: float array `(samples, modalities)`: the sum of the values of each modality; 0 where
            it is missing.
        degrees: float array `(samples, modalities)`: the share of each modality in the absolute
            values, see `Explanation.get_degrees`.
        method: string. The method and its settings.
        level: string, see `explain`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.explain import DatasetExplanation
    >>> explanation = DatasetExplanation(
    ...     ("image", "text"), np.array([[1.0, 0.5], [0.5, 0.0]]), np.array([[0.7, 0.3], [1, 0]]),
    ...     "ShapleyValues()", "modality")
    >>> explanation.summarize()["image"]["mean"], explanation.summarize()["text"]["degree"]
    (0.75, 0.15)
    """

    modalities: tuple
    values: np.ndarray
    degrees: np.ndarray
    method: str
    level: str

    def __repr__(self):
        return short_repr(
            self, modalities=self.modalities, samples=len(self.values), method=self.method
        )

    def summarize(self, confidence=0.95, resamples=1000, seed=0):
        """Computes the means over the samples, with bootstrap intervals.

        Args:
            confidence: float in (0, 1). Confidence of the intervals.
            resamples: int. Number of bootstrap samples.
            seed: int. Seed of the bootstrap samples.

        Returns:
            Dict, modality -> dict of `"mean"`, the mean value; `"low"` and `"high"`, its interval;
            and `"degree"`, the mean degree.
        """
        summary = {}
        for column, name in enumerate(self.modalities):
            interval = bootstrap_interval(
                self.values[:, column], confidence=confidence, resamples=resamples, seed=seed
            )
            summary[name] = {
                "mean": interval.value,
                "low": interval.low,
                "high": interval.high,
                "degree": float(self.degrees[:, column].mean()),
            }
        return summary

    def plot(self, path=None):
        """Draws the mean values as bars, with 95% bootstrap intervals.

        Args:
            path: string or path of an image file to write.

        Returns:
            A `matplotlib.figure.Figure`.

        Raises:
            ImportError: if matplotlib is not installed.
            ValueError: if matplotlib does not support the suffix of `path`.
        """
        summary = self.summarize()
        figure = get_figure_class()(figsize=(5.0, 1.2 + 0.4 * len(summary)), layout="constrained")
        axes = figure.subplots()
        rows, means = np.arange(len(summary)), [each["mean"] for each in summary.values()]
        axes.barh(rows, means, color=[POSITIVE if mean >= 0 else NEGATIVE for mean in means])
        lows, highs = ([each[end] for each in summary.values()] for end in ("low", "high"))
        axes.hlines(rows, lows, highs, color="0.3", linewidth=2)
        axes.set_yticks(rows, list(summary))
        axes.invert_yaxis()
        axes.axvline(0, color="0.5", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel(f"mean value of {len(self.values)} samples and 95% interval")
        figure.suptitle(self.method, fontsize=9)
        if path is not None:
            save_figure(figure, pathlib.Path(path))
        return figure

    def to_json(self):
        """Returns the values of all samples and the summary as a JSON text."""
        fields = {**vars(self), "values": self.values.tolist(), "degrees": self.degrees.tolist()}
        return json.dumps({**fields, "summary": self.summarize()}, ensure_ascii=False)
