"""The kinds of data sets are independent: their folders share only `io` and `images`."""

import re
from pathlib import Path

import pytest

from keras_mmfusion import datasets

FOLDER = Path(datasets.__file__).parent
SHARED = {"io", "images"}
# Builders for TensorFlow Datasets wrap readers of several kinds.
ALLOWED = {"io": set(), "images": set(), "tfds_builders": {"captions", "questions", "sentiment"}}


@pytest.mark.parametrize("folder", sorted(path.parent for path in FOLDER.glob("*/__init__.py")))
def test_subpackage_imports_only_shared_subpackages(folder):
    allowed = {folder.name, *ALLOWED.get(folder.name, set())}
    if folder.name not in SHARED:
        allowed |= SHARED
    for path in folder.rglob("*.py"):
        imported = re.findall(r"keras_mmfusion\.datasets\.(\w+)\.", path.read_text("utf-8"))
        assert set(imported) <= allowed, path
        assert path.read_text("utf-8").startswith('"""'), path
