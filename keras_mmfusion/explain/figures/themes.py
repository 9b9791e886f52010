"""Colors of figures on a light and on a dark background.

They are distinct for all common types of color blindness: orange and violet of ColorBrewer's PuOr.
"""

import contextlib
import dataclasses


@dataclasses.dataclass(frozen=True)
class Theme:
    """The colors of a figure.

    Args:
        positive, negative: strings, the colors of values.
        middle: string, the color of 0 in heat maps.
        muted: string, the color of notes and lines.
        strong: string, the color of what must be seen next to the background.
        gray_limits: pair of ints: the gray levels that are black and white where an image is drawn
            pale, close to the background.
    """

    positive: str
    negative: str
    middle: str
    muted: str
    strong: str
    gray_limits: tuple

    def get_color(self, value):
        return self.positive if value >= 0 else self.negative


LIGHT = Theme("#b35806", "#5e4fa2", "#f7f7f7", "0.4", "black", (-255, 255))
DARK = Theme("#f1a340", "#998ec3", "#1a1a1a", "0.7", "white", (0, 510))


@contextlib.contextmanager
def use_theme(dark):
    """Returns a context in which matplotlib's figures have a light or a dark background.

    Args:
        dark: bool. `False` keeps the user's settings of matplotlib.

    Yields:
        `Theme`.
    """
    if not dark:
        yield LIGHT
        return
    from matplotlib import style

    with style.context("dark_background"):
        yield DARK


def mix_with_white(value, limit):
    """Returns the color of a value in [-limit, limit] as a tuple of integers from 0 to 255.

    Example:

    >>> mix_with_white(0.0, 1.0), mix_with_white(1.0, 1.0)
    ((255, 255, 255), (179, 88, 6))
    """
    color = LIGHT.get_color(value)
    share = min(abs(value) / limit, 1.0) if limit else 0.0
    channels = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return tuple(round(255 + share * (channel - 255)) for channel in channels)


def pick_text_color(background):
    """Returns black or white, whichever has the higher contrast to an RGB color.

    Reference:
        Web Content Accessibility Guidelines 2.2, "relative luminance" and "contrast ratio".

    Example:

    >>> pick_text_color((255, 255, 255)), pick_text_color((94, 79, 162))
    ('#000', '#fff')
    """
    scaled = (channel / 255 for channel in background)
    linear = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in scaled)
    luminance = sum(w * x for w, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "#000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#fff"
