"""Images for the tests, computed from a formula."""

import numpy as np


def photo(height, width, phase=0.0):
    """Returns a smooth color pattern, with small JPEG compression errors."""
    rows, columns = np.mgrid[:height, :width]
    red = 127 + 120 * np.sin(columns / 9 + phase)
    green = 127 + 120 * np.cos(rows / 7 + phase)
    blue = 255 * (rows + columns) / (height + width)
    return np.stack([red, green, blue], axis=-1).astype("uint8")
