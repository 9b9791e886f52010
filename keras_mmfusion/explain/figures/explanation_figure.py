"""Figures of an explanation."""

import pathlib

import numpy as np
from PIL import Image

from keras_mmfusion.explain.figures.figure_files import get_figure_class, save_figure
from keras_mmfusion.explain.figures.value_colors import DIVERGING, NEGATIVE, POSITIVE

MAX_BARS = 20
_PANEL = (4.2, 3.6)  # Inches.


def plot_explanation(explanation, path=None):
    """Implements `Explanation.plot`."""
    scalars = {name: x for name, x in explanation.values.items() if np.ndim(x) == 0}
    arrays = {name: x for name, x in explanation.values.items() if np.ndim(x) > 0}
    panels = ([("", scalars)] if scalars else []) + list(arrays.items())
    width, height = _PANEL
    figure = get_figure_class()(figsize=(width * len(panels), height), layout="constrained")
    figure.suptitle(f"{explanation.target}: {explanation.score:.3g}", wrap=True)
    figure.supxlabel(_describe(explanation), fontsize=8, color="0.4", wrap=True)
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (name, values) in zip(row, panels, strict=True):
        errors = explanation.standard_errors or {}
        if isinstance(values, dict):
            errors = [float(errors.get(each, 0.0)) for each in values]
            _draw_bars(axes, list(values), np.array(list(values.values()), "float64"), errors)
            continue
        axes.set_title(name, fontsize=10)
        if values.ndim == 1:
            labels = explanation.labels.get(name) or [str(i) for i in range(len(values))]
            _draw_largest(axes, labels, values, errors.get(name))
        else:
            _draw_map(axes, values, explanation.images.get(name))
    if path is not None:
        save_figure(figure, pathlib.Path(path))
    return figure


def _describe(explanation):
    text = explanation.method
    if explanation.base_value is not None:
        text += f"; base value {explanation.base_value:.3g}"
    return text


def _draw_bars(axes, labels, values, errors):
    rows = np.arange(len(values))
    colors = [POSITIVE if value >= 0 else NEGATIVE for value in values]
    errors = None if errors is None or not np.any(errors) else 1.96 * np.asarray(errors)
    axes.barh(rows, values, xerr=errors, color=colors, ecolor="0.3", capsize=2)
    axes.set_yticks(rows, labels)
    axes.invert_yaxis()
    axes.axvline(0, color="0.5", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_largest(axes, labels, values, errors):
    """Draws bars of at most `MAX_BARS` values, those with the largest magnitude, in their order."""
    rows = np.sort(np.argsort(-np.abs(values), kind="stable")[:MAX_BARS])
    errors = None if errors is None else errors[rows]
    _draw_bars(axes, [labels[row] for row in rows], values[rows], errors)


def _draw_map(axes, values, image):
    from matplotlib.colors import LinearSegmentedColormap

    limit = max(float(np.abs(values).max()), np.finfo("float32").tiny)
    colormap = LinearSegmentedColormap.from_list("values", DIVERGING)
    axes.set_axis_off()
    height, width = values.shape if image is None else image.shape[:2]
    extent = (0, width, height, 0)
    if image is not None:
        gray = Image.fromarray(image.squeeze()).convert("L")
        axes.imshow(gray, cmap="gray", vmin=-255, vmax=255, extent=extent)
    drawn = axes.imshow(
        values,
        cmap=colormap,
        vmin=-limit,
        vmax=limit,
        extent=extent,
        alpha=1.0 if image is None else 0.65,
        interpolation="nearest",
    )
    axes.figure.colorbar(drawn, ax=axes, shrink=0.8)
