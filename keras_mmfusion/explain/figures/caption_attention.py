"""Figures of a captioner's attention, word by word."""

import math
import pathlib
import re

import numpy as np
from PIL import Image

from keras_mmfusion.datasets.images.read_image import read_image
from keras_mmfusion.explain.figures.figure_files import get_figure_class, save_figure

COLUMNS = 5
CELL_INCHES = 2.6
# Larger photos would be drawn slowly and scaled down in the figure.
MAX_SIDE = 480
# Colors from no attention to the most attention: red, green, blue, opacity.
HEAT = [(1.0, 0.85, 0.2, 0.0), (1.0, 0.55, 0.05, 0.45), (0.85, 0.05, 0.05, 0.75)]
LEGEND = "red: highest attention while generating the word      %: probability of the word"
_SPECIAL_TOKEN = re.compile(r"\[[A-Z]+\]|<.+>")


def plot_caption_attention(image, caption, path=None, cropped=False):
    """Plots a photo and, for each generated word, the model's attention over the photo.

    Each word has a panel: the photo, lightened, under a heat map of `attention / max(attention)`,
    interpolated bilinearly between the centers of the grid's cells. The title gives the word and
    its probability, given the image and the previous words. Special tokens are omitted.

    Args:
        image: the input of `ImageCaptioningModel.generate`: path, encoded bytes, PIL image, array
            or tensor.
        caption: `Caption`, from `model.generate(image, details=True)`.
        path: string or path of an image file to write. Its suffix, such as `.png`, selects the
            format.
        cropped: bool. Whether the model received only the center of the photo, cropped to the
            shape of the attention grid, as by an `ImageConverter` with
            `crop_to_aspect_ratio=True`.

    Returns:
        A `matplotlib.figure.Figure`, which a notebook displays at the end of a cell.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if the image cannot be read, or matplotlib does not support the suffix of
            `path`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.models.captioning import Caption
    >>> caption = Caption(
    ...     text="a dog", score=-0.4, tokens=["a", "dog", "[END]"],
    ...     token_log_probs=np.log([0.9, 0.5, 0.8]), attention=np.full((3, 2, 2), 0.25))
    >>> figure = plot_caption_attention(np.zeros((40, 60, 3), "uint8"), caption)
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['', 'a', 'dog']

    Reference:
        Xu et al., "Show, Attend and Tell", 2015, figures 2 and 3.
    """
    figure_class, colormap = get_figure_class(), make_colormap()
    photo = Image.fromarray(read_image(image))
    photo.thumbnail((MAX_SIDE, MAX_SIDE))
    pale = Image.blend(
        photo.convert("L").convert("RGB"), Image.new("RGB", photo.size, "white"), 0.35
    )
    steps = [
        step
        for step in zip(caption.tokens, caption.token_log_probs, caption.attention, strict=True)
        if not is_special_token(step[0])
    ]
    columns = min(COLUMNS, len(steps) + 1)
    rows = math.ceil((len(steps) + 1) / columns)
    row_height = CELL_INCHES * photo.height / photo.width + 0.3
    figure = figure_class(
        figsize=(columns * CELL_INCHES, rows * row_height + 0.7), layout="constrained"
    )
    figure.get_layout_engine().set(h_pad=0.03, w_pad=0.04, hspace=0, wspace=0)
    figure.suptitle(caption.text, fontsize=16, wrap=True)
    figure.supxlabel(LEGEND, fontsize=9, color="0.4")
    for number, step in enumerate([None, *steps], start=1):
        axes = figure.add_subplot(rows, columns, number)
        axes.set_axis_off()
        axes.imshow(photo if step is None else pale)
        if step is None:
            continue
        word, log_prob, attention = step
        axes.imshow(resize_attention(attention, photo.size, cropped), cmap=colormap, vmin=0, vmax=1)
        # "Ġ" stands for a space in the vocabulary of GPT-2.
        axes.set_title(word.replace("Ġ", " ").strip(), loc="left", fontsize=14, fontweight="bold")
        axes.set_title(f"{math.exp(log_prob):.0%}", loc="right", fontsize=11, color="0.4")
    if path is not None:
        save_figure(figure, pathlib.Path(path))
    return figure


def is_special_token(token):
    """Returns whether a token, such as `"[END]"`, is no part of the text."""
    return _SPECIAL_TOKEN.fullmatch(token) is not None


def crops_images(preprocessor):
    """Returns whether a preprocessor passes only the center of a photo to the model."""
    converter = preprocessor.image_converter
    return bool(converter.crop_to_aspect_ratio or getattr(converter, "shortest_edge", None))


def make_colormap():
    """Returns matplotlib's colormap of `HEAT`."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("attention", HEAT)


def resize_attention(attention, size, cropped):
    """Scales attention to [0, 1] and to the pixels of a photo of `size` (width, height)."""
    width, height = size
    if cropped:
        rows, columns = attention.shape
        scale = min(width / columns, height / rows)
        width, height = round(columns * scale), round(rows * scale)
    largest = max(float(attention.max()), np.finfo("float32").tiny)
    grid = Image.fromarray((attention / largest).astype("float32"))
    resized = grid.resize((width, height), Image.Resampling.BILINEAR)
    heat = Image.new("F", size)
    heat.paste(resized, ((size[0] - width) // 2, (size[1] - height) // 2))
    return np.asarray(heat)
