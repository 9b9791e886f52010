"""HTML of an explanation, without references to other files."""

import base64
import html
import io

import numpy as np
from PIL import Image

from keras_mmfusion.explain.figures.themes import mix_with_white, pick_text_color

MAX_SIDE = 360
MAX_CELLS = 1600  # More cells are drawn as one image.
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; }}
body {{ font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }}
</style></head><body>{body}</body></html>
"""
_WORD = (
    '<span title="{value:.4g}" style="background:rgb{color};color:{text_color};padding:0 .2em">'
    "{word}</span>"
)
# "{above}" is in a group whose opacity the slider sets.
_MAP = """<div><svg role="img" aria-label="{label}" width="{width}" viewBox="0 0 {width} {height}"
 style="max-width:100%;height:auto">
{below}<g opacity="{opacity}">{above}</g></svg><br>
<label>opacity <input type="range" min="0" max="1" step="0.05" value="{opacity}"
oninput="this.closest('div').querySelector('g').setAttribute('opacity', this.value)"></label></div>
"""
_CELL = (
    '<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{color}">'
    "<title>{value:.4g}</title></rect>"
)


def make_page(explanation):
    """Implements `Explanation.to_html`."""
    return _PAGE.format(title=html.escape(explanation.target), body=make_fragment(explanation))


def make_fragment(explanation):
    """Returns the HTML elements of an explanation, for a notebook or a page."""
    parts = [f"<h3>{html.escape(explanation.target)}: {explanation.score:.4g}</h3>"]
    parts.append(_make_table(explanation))
    for name, values in explanation.values.items():
        if np.ndim(values) == 0:
            continue
        parts.append(f"<h4>{html.escape(name)}</h4>")
        if np.ndim(values) == 2:
            parts.append(_make_map(values, explanation.images.get(name), name))
        else:
            parts.append(_make_words(explanation.get_labels(name), values))
    notes = [explanation.method]
    if explanation.base_value is not None:
        notes.append(f"base value {explanation.base_value:.4g}")
    notes += [f"{name.replace('_', ' ')} {x:.2g}" for name, x in explanation.checks.items()]
    notes += [f"{name}: {text}" for name, text in explanation.removal.items()]
    parts.append(f"<p><small>{html.escape('; '.join(notes))}</small></p>")
    return "\n".join(parts)


def _make_table(explanation):
    sums, degrees = explanation.get_modality_values(), explanation.get_degrees()
    limit = max(map(abs, sums.values()), default=0.0)
    rows = []
    for name, value in sums.items():
        color = "rgb({}, {}, {})".format(*mix_with_white(np.sign(value), 1.0))
        width = 100 * abs(value) / limit if limit else 0
        bar = f'<div style="background:{color};height:1em;width:{width:.1f}%"></div>'
        rows.append(
            f'<tr><th scope="row">{html.escape(name)}</th><td>{value:.4g}</td>'
            f'<td>{degrees[name]:.0%}</td><td style="width:16rem">{bar}</td></tr>'
        )
    head = "<tr><th>modality</th><th>value</th><th>degree</th><td></td></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _make_words(labels, values):
    limit = float(np.abs(values).max(initial=0.0))
    words = []
    for label, value in zip(labels, values, strict=True):
        color = mix_with_white(value, limit)
        words.append(
            _WORD.format(
                value=value,
                color=color,
                text_color=pick_text_color(color),
                word=html.escape(str(label)),
            )
        )
    return f'<p style="line-height:2">{" ".join(words)}</p>'


def _make_map(values, image, name):
    """Returns an SVG drawing of the values over the image, and a slider for their opacity.

    The cells state their values when the pointer is over them. Pixels are one image instead.
    """
    limit = float(np.abs(values).max())
    rows, columns = values.shape
    height, width = values.shape if image is None else image.shape[:2]
    scale = MAX_SIDE / max(height, width)
    width, height = max(round(width * scale), 1), max(round(height * scale), 1)
    below = "" if image is None else _embed(_to_gray(image), width, height)
    colors = np.array([mix_with_white(value, limit) for value in values.ravel()], "uint8")
    if values.size > MAX_CELLS:
        above = _embed(Image.fromarray(colors.reshape(rows, columns, 3)), width, height)
    else:
        above = "".join(
            _CELL.format(
                x=index % columns * width / columns,
                y=index // columns * height / rows,
                width=width / columns,
                height=height / rows,
                color="rgb({}, {}, {})".format(*color),
                value=value,
            )
            for index, (value, color) in enumerate(zip(values.ravel(), colors, strict=True))
        )
    opacity = 1.0 if image is None else 0.6
    label = html.escape(f"values of {name}")
    return _MAP.format(
        width=width, height=height, below=below, above=above, opacity=opacity, label=label
    )


def _to_gray(image):
    return Image.fromarray(image.squeeze()).convert("L")


def _embed(image, width, height):
    """Returns an SVG element with the pixels of an image."""
    file = io.BytesIO()
    image.save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<image href="data:image/png;base64,{data}" width="{width}" height="{height}" '
        'preserveAspectRatio="none" style="image-rendering:pixelated"/>'
    )
