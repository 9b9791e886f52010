"""Explains the predictions for the samples of a data set, and averages over them."""

import dataclasses
import json
import pathlib

import numpy as np

from keras_mmfusion._progress import track
from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.explain.explain_prediction import explain
from keras_mmfusion.explain.figures.figure_files import get_figure_class, save_figure
from keras_mmfusion.explain.figures.themes import use_theme
from keras_mmfusion.explain.methods.method_table import get_method
from keras_mmfusion.metrics.significance import bootstrap_interval


def explain_dataset(
    model,
    samples,
    target=None,
    method="shapley",
    level="modality",
    baselines=None,
    batch_size=32,
):
    """Computes the mean contribution of each modality over samples.

    Args:
        model: Keras model, see `explain`.
        samples: list of dicts, each a sample without a batch axis; or any other iterable of them.
        target: see `explain`; the same for all samples. `None` explains the prediction for each
            sample. A list has one target for each sample.
        method, level, baselines, batch_size: see `explain`.

    Returns:
        `DatasetExplanation`.

    Raises:
        ValueError: if there are no samples, a list of targets has another length, or as for
            `explain`; the message has the index of the sample.

    Example:

    >>> from keras_mmfusion.explain import explain_dataset
    >>> from keras_mmfusion.models import FusionModel
    >>> import keras, keras_mmfusion, numpy as np
    >>> fusion = keras_mmfusion.FusionBlock(("notes", "record"), dim=8)
    >>> model = FusionModel({}, fusion, keras.layers.Dense(2))
    >>> data = {"notes": np.ones((2, 4), "float32"), "record": np.ones((2, 3), "float32")}
    >>> _ = model(data)  # builds the model
    >>> samples = [{name: values[row] for name, values in data.items()} for row in range(2)]
    >>> explain_dataset(model, samples, target=1).values.shape
    (2, 2)
    """
    method = get_method(method)
    samples = list(samples)
    if not samples:
        raise ValueError("`samples` must have at least one sample. Received: []")
    targets = target if isinstance(target, list) else [target] * len(samples)
    if len(targets) != len(samples):
        raise ValueError(
            f"`target` must have one target for each of {len(samples)} samples. Received: "
            f"{len(targets)} targets"
        )
    explanations = []
    for index, sample in enumerate(track(samples, "Explaining")):
        try:
            each = explain(model, sample, targets[index], method, level, baselines, batch_size)
        except ValueError as error:
            raise ValueError(f"`samples[{index}]`: {error}") from error
        explanations.append(each)
    names = list(dict.fromkeys(name for each in explanations for name in each.values))
    values, degrees = (
        np.array([[getattr(each, get)().get(name, 0.0) for name in names] for each in explanations])
        for get in ("get_modality_values", "get_degrees")
    )
    return DatasetExplanation(tuple(names), values, degrees, repr(method), level)


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

    def plot(self, path=None, dark=False):
        """Draws the mean values as bars, with 95% bootstrap intervals.

        Args:
            path: string or path of an image file to write.
            dark: bool. Whether the background is dark.

        Returns:
            A `matplotlib.figure.Figure`.

        Raises:
            ImportError: if matplotlib is not installed.
            ValueError: if matplotlib does not support the suffix of `path`.
        """
        summary = self.summarize()
        rows, means = np.arange(len(summary)), [each["mean"] for each in summary.values()]
        lows, highs = ([each[end] for each in summary.values()] for end in ("low", "high"))
        with use_theme(dark) as theme:
            size = (5.0, 1.2 + 0.4 * len(summary))
            figure = get_figure_class()(figsize=size, layout="constrained")
            axes = figure.subplots()
            axes.barh(rows, means, color=[theme.get_color(mean) for mean in means])
            axes.hlines(rows, lows, highs, color=theme.muted, linewidth=2)
            axes.set_yticks(rows, list(summary))
            axes.invert_yaxis()
            axes.axvline(0, color=theme.muted, linewidth=0.8)
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
