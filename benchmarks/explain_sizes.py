"""The model and the settings of `benchmarks/explain.py captum`, without any framework."""

import numpy as np

IMAGE_SIZE, CHANNELS = 96, (32, 64, 128)
RECORD_SIZE, DIM, CLASSES = 16, 64, 10
TARGET = 3
STEPS = 32  # Of integrated gradients, and noisy samples of SmoothGrad.
NOISE = 0.15
CELLS = 8  # Rows and columns of the cells that occlusion removes.
SHAPLEY_CELLS, PERMUTATIONS = 4, 32
BATCH_SIZE = 64
METHODS = ("integrated_gradients", "smooth_grad", "grad_cam", "occlusion", "shapley")
SETTINGS = {
    "image": f"{IMAGE_SIZE} × {IMAGE_SIZE}",
    "steps": STEPS,
    "cells": CELLS**2,
    "shapley_parts": SHAPLEY_CELLS**2 + 1,
    "permutations": PERMUTATIONS,
    "batch_size": BATCH_SIZE,
}


def make_inputs():
    """Returns an image and a record: a dict of float32 arrays without a batch axis."""
    rng = np.random.default_rng(0)
    return {
        "image": rng.normal(size=(IMAGE_SIZE, IMAGE_SIZE, 3)).astype("float32"),
        "record": rng.normal(size=RECORD_SIZE).astype("float32"),
    }


def make_baselines():
    """Returns what replaces removed parts, a dict like `make_inputs`."""
    return {name: np.full_like(x, 0.1) for name, x in make_inputs().items()}
