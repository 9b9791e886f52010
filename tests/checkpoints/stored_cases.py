"""Reads the weights and outputs of transformers that the scripts `make_*.py` stored in `data`."""

import json
import pathlib

import numpy as np

DATA = pathlib.Path(__file__).parent / "data"


def read_case(name):
    """Returns the configuration of a case, its weights in float32, and the other arrays."""
    with np.load(DATA / f"{name}.npz") as file:
        arrays = dict(file)
    if "config" in arrays:
        config = json.loads(str(arrays.pop("config")))
    else:
        config = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    names = [key for key in arrays if key.startswith("weight:")]
    weights = {key.removeprefix("weight:"): arrays.pop(key).astype("float32") for key in names}
    return config, weights, arrays
