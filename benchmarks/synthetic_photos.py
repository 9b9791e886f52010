"""Generates JPEGs with the size and compressibility of photos, for benchmarks without photos."""

import pathlib

import numpy as np
from PIL import Image


def write_photos(folder, count, size=(500, 375), seed=0):
    """Writes `count` JPEGs of enlarged coarse noise; returns their paths."""
    rng = np.random.default_rng(seed)
    paths = []
    for index in range(count):
        coarse = rng.integers(256, size=(24, 32, 3), dtype="uint8")
        path = pathlib.Path(folder, f"{index:05d}.jpg")
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path, quality=90)
        paths.append(str(path))
    return paths
