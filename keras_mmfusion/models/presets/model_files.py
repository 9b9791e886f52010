"""Loading of `.keras` files that hold layers of this package."""

import json
import pathlib
import zipfile

import keras

from keras_mmfusion.models.presets.registered_classes import register_classes

CONFIG_FILE = "config.json"


def load_model(filepath, custom_objects=None, compile=True, safe_mode=True):
    """Loads a `.keras` file, whichever layers and models of this package it holds.

    `keras.saving.load_model` finds a class only after its module has been imported, and this
    package imports its modules when they are first used. This function imports those that the file
    names, and then calls it.

    Args:
        filepath: string or path of a `.keras` file.
        custom_objects: dict, name -> class or function, for those that are not registered.
        compile: bool. Whether to compile the model as it was when it was saved.
        safe_mode: bool. Whether to refuse lambdas, which can run any code.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: if there is no such file, or it is not a `.keras` file.

    Example:

    >>> import os, tempfile
    >>> import keras
    >>> from keras_mmfusion import GCNLayer, load_model
    >>> graph = {
    ...     "node_features": keras.Input((4, 8), name="node_features"),
    ...     "adjacency": keras.Input((4, 4), name="adjacency"),
    ... }
    >>> path = os.path.join(tempfile.mkdtemp(), "model.keras")
    >>> keras.Model(graph, GCNLayer(3)(graph)).save(path)
    >>> load_model(path).output_shape
    (None, 4, 3)
    """
    path = pathlib.Path(filepath)
    if not zipfile.is_zipfile(path):
        found = "is not one" if path.exists() else "does not exist"
        raise ValueError(f"`filepath` must be a .keras file. {str(path)!r} {found}.")
    with zipfile.ZipFile(path) as archive:
        if CONFIG_FILE not in archive.namelist():
            raise ValueError(f"`filepath` must be a .keras file. {str(path)!r} is not one.")
        register_classes(json.loads(archive.read(CONFIG_FILE)))
    return keras.saving.load_model(
        path, custom_objects=custom_objects, compile=compile, safe_mode=safe_mode
    )
