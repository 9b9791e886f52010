"""What an export for devices needs, checked without Keras."""

import os

from keras_mmfusion._extras import require_extra

SUFFIXES = {"litert": "tflite", "onnx": "onnx"}


def check_edge_target(folder, edge_format):
    """Raises an error if a format cannot be written, or not to this folder.

    Args:
        folder: path, not there yet.
        edge_format: string, `"litert"` or `"onnx"`.

    Raises:
        MissingExtraError: if `tf2onnx` is needed and missing.
        ValueError: if the format is of another kind, or the folder is there.
    """
    if edge_format not in SUFFIXES:
        raise ValueError(
            f"`edge_format` must be one of {', '.join(map(repr, SUFFIXES))}. "
            f"Received: {edge_format!r}"
        )
    if edge_format == "onnx":
        require_extra("edge", "Writing ONNX", "tf2onnx", "onnx")
    if os.path.exists(folder):
        raise ValueError(f"`folder` must not be there yet. Received: {os.fspath(folder)!r}")
