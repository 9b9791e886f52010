"""Checks of edge export arguments, without importing Keras."""

import os

from keras_mmfusion._checks import check_choice
from keras_mmfusion._extras import require_extra

SUFFIXES = {"litert": "tflite", "onnx": "onnx"}


def check_edge_target(folder, edge_format):
    """Checks the format and the target folder of an edge export.

    Args:
        folder: path. Must not exist.
        edge_format: string, `"litert"` or `"onnx"`.

    Raises:
        MissingExtraError: if `tf2onnx` is required and not installed.
        ValueError: if the format is unknown or the folder exists.
    """
    check_choice(None, "edge_format", edge_format, SUFFIXES)
    if edge_format == "onnx":
        require_extra("edge", "Writing ONNX", "tf2onnx", "onnx")
    if os.path.exists(folder):
        raise ValueError(f"`folder` must not exist. Received: {os.fspath(folder)!r}")
