"""The figure of an explanation."""

import pathlib

import numpy as np

from keras_mmfusion.explain.figures import panels
from keras_mmfusion.explain.figures.figure_files import get_figure_class, save_figure
from keras_mmfusion.explain.figures.subgraph import draw_subgraph, list_centers, rank_edges
from keras_mmfusion.explain.figures.themes import use_theme

_PANEL = (4.2, 3.6)  # Inches.
_MAX_EDGES = 15


def plot_explanation(explanation, path=None, dark=False):
    """Implements `Explanation.plot`."""
    drawings = _list_drawings(explanation)
    width, height = _PANEL
    with use_theme(dark) as theme:
        figure = get_figure_class()(
            figsize=(max(width * len(drawings), 1.4 * width), height), layout="constrained"
        )
        figure.suptitle(f"{explanation.target}: {explanation.score:.3g}", wrap=True)
        figure.supxlabel(_describe(explanation), fontsize=8, color=theme.muted, wrap=True)
        grid = figure.add_gridspec(1, len(drawings))
        for cell, draw in zip(grid, drawings, strict=True):
            draw(figure, cell, theme)
        if path is not None:
            save_figure(figure, pathlib.Path(path))
    return figure


def _describe(explanation):
    text = explanation.method
    if explanation.base_value is not None:
        text += f"; base value {explanation.base_value:.3g}"
    if any(np.min(x, initial=0.0) < 0 for x in explanation.values.values()):
        text += "; orange: raises the score, violet: lowers it"
    return text


def _list_drawings(explanation):
    """Returns a function `draw(figure, cell, theme)` for each panel."""
    values = explanation.values
    if explanation.level == "edge" and explanation.edges:
        return [lambda figure, cell, theme: _draw_edges(figure, cell, theme, explanation)]
    if explanation.level == "feature" and explanation.base_value is not None:
        return [lambda figure, cell, theme: _draw_waterfall(figure, cell, theme, explanation)]
    drawings = []
    if any(np.ndim(x) == 0 for x in values.values()):
        drawings.append(lambda *args: _draw_modalities(*args, explanation))
    for name, x in values.items():
        if np.ndim(x) > 0:
            drawings.append(lambda *args, name=name: _draw_parts(*args, explanation, name))
    return drawings


def _draw_modalities(figure, cell, theme, explanation):
    names = [name for name, x in explanation.values.items() if np.ndim(x) == 0]
    values = np.array([explanation.values[name] for name in names], "float64")
    errors = explanation.standard_errors or {}
    errors = np.array([errors.get(name, 0.0) for name in names], "float64")
    panels.draw_bars(figure.add_subplot(cell), theme, names, values, errors)


def _draw_parts(figure, cell, theme, explanation, name):
    values, image = np.asarray(explanation.values[name]), explanation.images.get(name)
    if values.ndim == 1 and image is not None:
        rows = cell.subgridspec(2, 1, height_ratios=[2, 1])
        top = figure.add_subplot(rows[0])
        top.set_title(name, fontsize=10)
        panels.draw_sequence(top, figure.add_subplot(rows[1]), theme, values, image)
        return
    axes = figure.add_subplot(cell)
    axes.set_title(name, fontsize=10)
    if values.ndim == 2:
        panels.draw_map(axes, theme, values, image)
        return
    errors = (explanation.standard_errors or {}).get(name)
    panels.draw_bars(axes, theme, explanation.get_labels(name), values, errors)


def _draw_waterfall(figure, cell, theme, explanation):
    labels, several = [], len(explanation.values) > 1
    for name in explanation.values:
        prefix = f"{name}: " if several else ""
        labels += [prefix + label for label in explanation.get_labels(name)]
    values = np.concatenate([np.ravel(x) for x in explanation.values.values()])
    base_value, score = explanation.base_value, explanation.score
    panels.draw_waterfall(figure.add_subplot(cell), theme, labels, values, base_value, score)


def _draw_edges(figure, cell, theme, explanation):
    edges = rank_edges(explanation.edges, explanation.values, _MAX_EDGES)
    largest = max((abs(value) for *_, value in edges), default=1.0)
    edges = [(source, target, value / largest) for source, target, value in edges]
    draw_subgraph(
        figure.add_subplot(cell),
        edges,
        list_centers(explanation.edges, explanation.node),
        theme.get_color,
        strong=theme.strong,
    )
