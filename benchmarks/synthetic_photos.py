"""Generates JPEGs with the size and compressibility of photos, for benchmarks without photos."""

import pathlib

import numpy as np
from PIL import Image


def make_photos(count, size=(500, 375), seed=0):
    """Makes photos of enlarged coarse noise: a uint8 array `(count, height, width, 3)`."""
    rng = np.random.default_rng(seed)
    photos = []
    for _ in range(count):
        coarse = rng.integers(256, size=(24, 32, 3), dtype="uint8")
        photos.append(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))
    return np.stack(photos)


def write_photos(folder, count, size=(500, 375), seed=0):
    """Writes `count` JPEGs of `make_photos`; returns their paths."""
    paths = []
    for index, photo in enumerate(make_photos(count, size, seed)):
        path = pathlib.Path(folder, f"{index:05d}.jpg")
        Image.fromarray(photo).save(path, quality=90)
        paths.append(str(path))
    return paths
