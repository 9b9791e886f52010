"""Colors of values. They are distinct for all common types of color blindness."""

POSITIVE = "#b35806"  # Orange.
NEGATIVE = "#5e4fa2"  # Violet.
DIVERGING = [NEGATIVE, "#f7f7f7", POSITIVE]


def mix_with_white(value, limit):
    """Returns the color of a value in [-limit, limit] as a tuple of integers from 0 to 255.

    Example:

    >>> mix_with_white(0.0, 1.0), mix_with_white(1.0, 1.0)
    ((255, 255, 255), (179, 88, 6))
    """
    color = POSITIVE if value >= 0 else NEGATIVE
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
