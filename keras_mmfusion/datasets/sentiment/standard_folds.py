"""Reads the official training, validation and test folds of CMU-MOSEI and CMU-MOSI."""

import ast
import os
import pathlib

from keras_mmfusion.files.json_files import parse_json
from keras_mmfusion.files.text_files import read_text


def read_standard_folds(path):
    """Reads the names of the training, validation and test videos, without executing the file.

    Args:
        path: string or path of the SDK's `cmu_mosei_std_folds.py` or another Python file with the
            lists `standard_train_fold`, `standard_valid_fold` and `standard_test_fold`; or of a
            `.json` file with a dict, fold -> list of video ids.

    Returns:
        A dict, fold -> list of video ids. Folds are, for example, `"train"`, `"valid"`, `"test"`.

    Raises:
        ValueError: if the file contains no folds, or a video is in several folds.

    Example:

    >>> import os, tempfile
    >>> from keras_mmfusion.datasets import read_standard_folds
    >>> path = os.path.join(tempfile.mkdtemp(), "folds.py")
    >>> with open(path, "w") as file:
    ...     _ = file.write("standard_train_fold=['a', 'b']\\nstandard_test_fold=['c']")
    >>> read_standard_folds(path)
    {'train': ['a', 'b'], 'test': ['c']}
    """
    path = pathlib.Path(os.path.expanduser(path))
    source = read_text(path)
    try:
        is_json = path.suffix.lower() == ".json"
        folds = parse_json(str(path), source) if is_json else _parse_python(source)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"{str(path)!r} does not contain valid folds: {error}") from error
    if (
        not isinstance(folds, dict)
        or not folds
        or not all(
            isinstance(fold, list) and all(isinstance(video, str) for video in fold)
            for fold in folds.values()
        )
    ):
        raise ValueError(f"{str(path)!r} must contain lists of video names.")
    folds = {name.strip(): [video.strip() for video in fold] for name, fold in folds.items()}
    videos = [video for fold in folds.values() for video in set(fold)]
    if len(videos) > len(set(videos)):
        repeated = sorted(video for video in set(videos) if videos.count(video) > 1)
        raise ValueError(f"{str(path)!r} has videos in two folds: {', '.join(repeated)}")
    return folds


def _parse_python(source):
    """Returns the lists that a Python file assigns to `standard_<name>_fold`."""
    folds = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name.startswith("standard_") and name.endswith("_fold"):
                folds[name.removeprefix("standard_").removesuffix("_fold")] = ast.literal_eval(
                    node.value
                )
    return folds
