"""The panels of the figure of an explanation, one for each kind of values."""

import numpy as np
from PIL import Image

MAX_BARS = 20
_MAX_STEPS = 12  # Rows of a waterfall besides the rest.


def draw_bars(axes, theme, labels, values, errors=None):
    """Draws a horizontal bar for each value, at most `MAX_BARS`: those of the largest magnitude.

    Args:
        axes: matplotlib's axes.
        theme: `Theme`.
        labels: list of strings.
        values: float array `(parts,)`.
        errors: float array `(parts,)` or `None`. Standard errors; the lines are 95% intervals.
    """
    rows = np.sort(np.argsort(-np.abs(values), kind="stable")[:MAX_BARS])
    values, errors = values[rows], None if errors is None else 1.96 * np.asarray(errors)[rows]
    axes.barh(
        np.arange(len(rows)),
        values,
        xerr=errors if np.any(errors) else None,
        color=[theme.get_color(value) for value in values],
        ecolor=theme.muted,
        capsize=2,
    )
    axes.set_yticks(np.arange(len(rows)), [labels[row] for row in rows])
    axes.invert_yaxis()
    axes.axvline(0, color=theme.muted, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)


def draw_waterfall(axes, theme, labels, values, base_value, score):
    """Draws how values add up from the base value, at the bottom, to the score, at the top.

    The last row is what is left of the difference: the parts with smaller values, and parts that
    have no values at this level.

    Args:
        axes: matplotlib's axes.
        theme: `Theme`.
        labels: list of strings.
        values: float array `(parts,)`.
        base_value, score: floats.
    """
    rows = np.argsort(-np.abs(values), kind="stable")[:_MAX_STEPS]
    steps = [(labels[row], float(values[row])) for row in rows]
    rest = score - base_value - sum(value for _, value in steps)
    if len(rows) < len(values) or abs(rest) > 1e-3 * abs(score - base_value):
        steps.append(("all other parts", rest))
    end = score
    for row, (_, value) in enumerate(steps):
        start = end - value
        axes.barh(row, value, left=start, color=theme.get_color(value))
        text = f"{value:+.3g}"
        axes.annotate(
            text,
            (max(start, end), row),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
        axes.plot([start, start], [row, row + 1], color=theme.muted, linewidth=0.8)
        end = start
    axes.axvline(base_value, color=theme.muted, linewidth=0.8, linestyle=":")
    axes.axvline(score, color=theme.muted, linewidth=0.8)
    axes.set_yticks(range(len(steps)), [label for label, _ in steps])
    axes.set_ylim(len(steps) - 0.4, -0.6)
    axes.use_sticky_edges = False  # Bars would otherwise end at the border.
    axes.margins(x=0.15)
    axes.set_xlabel(f"from {base_value:.3g} (dotted) to {score:.3g}", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def draw_map(axes, theme, values, image=None):
    """Draws a heat map of values `(rows, columns)`, over an image if there is one.

    Args:
        axes: matplotlib's axes.
        theme: `Theme`.
        values: float array `(rows, columns)`.
        image: uint8 array `(height, width, channels)` or `None`.
    """
    from matplotlib.colors import LinearSegmentedColormap

    limit = max(float(np.abs(values).max()), np.finfo("float32").tiny)
    colors = [theme.negative, theme.middle, theme.positive]
    axes.set_axis_off()
    height, width = values.shape if image is None else image.shape[:2]
    extent = (0, width, height, 0)
    if image is not None:
        gray = np.asarray(Image.fromarray(image.squeeze()).convert("L"))
        low, high = theme.gray_limits
        axes.imshow(gray, cmap="gray", vmin=low, vmax=high, extent=extent)
    drawn = axes.imshow(
        values,
        cmap=LinearSegmentedColormap.from_list("values", colors),
        vmin=-limit,
        vmax=limit,
        extent=extent,
        alpha=1.0 if image is None else 0.65,
        interpolation="nearest",
    )
    axes.figure.colorbar(drawn, ax=axes, shrink=0.8)


def draw_sequence(top, bottom, theme, values, sequence):
    """Draws a sequence of vectors, such as a spectrogram, above a bar for each of its frames.

    Args:
        top, bottom: matplotlib's axes, which share the time.
        theme: `Theme`.
        values: float array `(frames,)`.
        sequence: uint8 array `(frames, features)`.
    """
    frames, features = sequence.shape
    top.imshow(
        sequence.T,
        aspect="auto",
        origin="lower",
        cmap="gray",
        extent=(-0.5, frames - 0.5, -0.5, features - 0.5),
        interpolation="nearest",
    )
    top.set_ylabel("feature", fontsize=8)
    top.tick_params(labelbottom=False)
    bottom.bar(
        np.arange(frames), values, width=1.0, color=[theme.get_color(value) for value in values]
    )
    bottom.set_xlim(-0.5, frames - 0.5)
    bottom.axhline(0, color=theme.muted, linewidth=0.8)
    bottom.set_xlabel("frame", fontsize=8)
    bottom.spines[["top", "right"]].set_visible(False)
