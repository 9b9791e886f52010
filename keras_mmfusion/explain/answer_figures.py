"""Figures of what an answer depends on."""

import pathlib

import numpy as np
from PIL import Image

from keras_mmfusion.datasets.images.read_image import read_image
from keras_mmfusion.explain.attention_maps import MAX_SIDE, make_colormap, resize_attention
from keras_mmfusion.explain.figure_files import get_figure_class, save_figure


def plot_answer_explanation(image, explanation, path=None, cropped=False):
    """Plots the image, the regions that support the answer, and the effect of each word.

    Args:
        image: the image that was explained, see `QuestionAnsweringModel.answer`.
        explanation: `AnswerExplanation`, from `explain_answer`.
        path: string or path of an image file to write. Its suffix, such as `.png`, selects the
            format.
        cropped: bool. Whether the model received only the center of the image, cropped to the
            shape of the grid.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if the image cannot be read, or matplotlib does not support the suffix of
            `path`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.explain import AnswerExplanation
    >>> from keras_mmfusion.models.question_answering import Answer
    >>> explanation = AnswerExplanation(
    ...     "is it red", Answer("yes", 0.9), np.eye(2), ["is", "it", "red"], np.arange(3.0))
    >>> figure = plot_answer_explanation(np.zeros((40, 60, 3), "uint8"), explanation)
    >>> figure.axes[1].get_title()
    'supports "yes"'
    """
    figure_class = get_figure_class()
    photo = Image.fromarray(read_image(image))
    photo.thumbnail((MAX_SIDE, MAX_SIDE))
    pale = Image.blend(
        photo.convert("L").convert("RGB"), Image.new("RGB", photo.size, "white"), 0.35
    )
    answer = explanation.answer
    figure = figure_class(figsize=(9.0, 3.6), layout="constrained")
    figure.suptitle(f"{explanation.question} {answer.text} ({answer.probability:.0%})", wrap=True)
    axes = figure.subplots(1, 3)
    for each, picture in zip(axes, (photo, pale), strict=False):
        each.set_axis_off()
        each.imshow(picture)
    heat = resize_attention(np.maximum(explanation.image_map, 0.0), photo.size, cropped)
    axes[1].imshow(heat, cmap=make_colormap(), vmin=0, vmax=1)
    axes[1].set_title(f'supports "{answer.text}"', fontsize=10)
    rows = range(len(explanation.words))
    axes[2].barh(rows, explanation.word_effects, color="0.4")
    axes[2].set_yticks(rows, explanation.words)
    axes[2].invert_yaxis()
    axes[2].set_title("effect of each word on the logit", fontsize=10)
    if path is not None:
        save_figure(figure, pathlib.Path(path))
    return figure
