"""Photos for the tests, drawn by formula."""

import numpy as np


def photo(height, width, phase=0.0):
    """A smooth colour pattern, which JPEG keeps well."""
    rows, columns = np.mgrid[:height, :width]
    red = 127 + 120 * np.sin(columns / 9 + phase)
    green = 127 + 120 * np.cos(rows / 7 + phase)
    blue = 255 * (rows + columns) / (height + width)
    return np.stack([red, green, blue], axis=-1).astype("uint8")
