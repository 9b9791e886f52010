"""HTML of a caption whose words show the attention over the photo."""

import base64
import html
import io
import math

import numpy as np
from PIL import Image

from keras_mmfusion.explain.figures.caption_attention import (
    HEAT,
    is_special_token,
    resize_attention,
)

PHOTO_SIDE = 640
# The browser scales the maps to the size of the photo.
MAP_SIDE = 96
_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "center", "right")


def make_attention_figure(image, caption, cropped=False):
    """Returns a caption under its photo as HTML: a word that has the pointer shows its attention.

    The figure needs the style sheet of the page, but no scripts. Words also show their attention
    if they have the keyboard focus. Their labels state the probability and the region of the
    highest attention.

    Args:
        image: uint8 array `(height, width, 3)`.
        caption: `Caption`, from `model.generate(image, details=True)`.
        cropped: bool. See `plot_caption_attention`.

    Returns:
        A string.

    Example:

    >>> import re
    >>> from keras_mmfusion.models.captioning import Caption
    >>> caption = Caption(
    ...     text="a dog", score=-0.4, tokens=["a", "dog"], token_log_probs=np.log([0.9, 0.5]),
    ...     attention=np.eye(9)[[0, 4]].reshape(2, 3, 3))
    >>> figure = make_attention_figure(np.zeros((40, 60, 3), "uint8"), caption)
    >>> re.findall(r'aria-label="([^"]+)"', figure)[2]
    'dog 50%, highest attention: middle center'
    """
    photo = Image.fromarray(image)
    photo.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
    size = _fit(photo.size, MAP_SIDE)
    steps = zip(caption.tokens, caption.token_log_probs, caption.attention, strict=True)
    words = [
        _make_word(token, math.exp(log_prob), resize_attention(attention, size, cropped))
        for token, log_prob, attention in steps
        if not is_special_token(token)
    ]
    text = html.escape(caption.text)
    return (
        f'<figure class="mm-attention" aria-label="Caption: {text}">'
        f'<img class="mm-photo" alt="The photo" src="{_encode(photo, "JPEG")}">'
        f'<figcaption class="mm-words">{"".join(words)}</figcaption></figure>'
    )


def _make_word(token, probability, heat):
    # "Ġ" stands for a space in the vocabulary of GPT-2.
    word = html.escape(token.replace("Ġ", " ").strip())
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    position = f"{_ROWS[3 * row // heat.shape[0]]} {_COLUMNS[3 * column // heat.shape[1]]}"
    # The visible text comes first, so that speech control finds the word.
    label = f"{word} {probability:.0%}, highest attention: {position}"
    return (
        '<span class="mm-step">'
        f'<button type="button" class="mm-word" aria-label="{label}">{word} '
        f'<span class="mm-probability">{probability:.0%}</span></button>'
        f'<img class="mm-heat" alt="" src="{_encode(_color(heat), "PNG")}"></span>'
    )


def _color(heat):
    """Returns attention from 0 to 1 as an RGBA image."""
    positions = np.linspace(0, 1, len(HEAT))
    channels = [np.interp(heat, positions, channel) for channel in zip(*HEAT, strict=True)]
    return Image.fromarray(np.round(255 * np.stack(channels, axis=-1)).astype("uint8"))


def _fit(size, side):
    scale = side / max(size)
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)


def _encode(image, file_format):
    file = io.BytesIO()
    image.save(file, file_format, optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    return f"data:image/{file_format.lower()};base64,{data}"
