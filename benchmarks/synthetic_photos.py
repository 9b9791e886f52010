"""Generates JPEGs with the size and compressibility of photos, for benchmarks without photos."""

import pathlib

import numpy as np
from PIL import Image

# The amplitudes of frequencies in natural images are about proportional to `1 / frequency`.
SPECTRUM_EXPONENT = 1.45
# Standard deviations of brightness and of the two color differences.
CONTRASTS = (50, 12, 12)


def make_photos(count, size=(500, 375), seed=0):
    """Makes photos of enlarged coarse noise: a uint8 array `(count, height, width, 3)`."""
    rng = np.random.default_rng(seed)
    photos = []
    for _ in range(count):
        coarse = rng.integers(256, size=(24, 32, 3), dtype="uint8")
        photos.append(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))
    return np.stack(photos)


def make_detailed_photos(count, size=(1000, 750), seed=0):
    """Makes photos with as much detail as real ones, whose files are as large.

    Brightness and colors are noise with the spectrum of natural images.

    Returns:
        An iterator over `count` uint8 arrays `(height, width, 3)`.
    """
    rng = np.random.default_rng(seed)
    width, height = size
    frequencies = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    amplitudes = np.maximum(frequencies, 1 / max(size)) ** -SPECTRUM_EXPONENT
    for _ in range(count):
        noise = np.fft.rfft2(rng.standard_normal((3, height, width), "float32"))
        planes = np.fft.irfft2(noise * amplitudes, (height, width))
        scales = np.array(CONTRASTS) / planes.std(axis=(1, 2))
        pixels = np.clip(128 + scales[:, None, None] * planes, 0, 255).astype("uint8")
        image = Image.fromarray(np.moveaxis(pixels, 0, -1).copy(), "YCbCr")
        yield np.asarray(image.convert("RGB"))


def write_photos(folder, count, size=(500, 375), seed=0):
    """Writes `count` JPEGs of `make_photos`; returns their paths."""
    return _write(folder, make_photos(count, size, seed))


def write_detailed_photos(folder, count, size=(1000, 750), seed=0):
    """Writes `count` JPEGs of `make_detailed_photos`; returns their paths."""
    return _write(folder, make_detailed_photos(count, size, seed))


def _write(folder, photos):
    paths = []
    for index, photo in enumerate(photos):
        path = pathlib.Path(folder, f"{index:05d}.jpg")
        Image.fromarray(photo).save(path, quality=90)
        paths.append(str(path))
    return paths
