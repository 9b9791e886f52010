"""The kinds of data sets are independent: their folders share only `io` and `images`."""

from pathlib import Path

import pytest
from test_import_layers import imported_names

from keras_mmfusion import datasets

FOLDER = Path(datasets.__file__).parent
SHARED = {"io", "images"}
# Builders for TensorFlow Datasets wrap readers of several kinds.
ALLOWED = {"io": set(), "images": set(), "tfds_builders": {"captions", "questions", "sentiment"}}


def find_imported_subpackages(source, module):
    """The names after `keras_mmfusion.datasets.` in a module's imports."""
    parts = (name.split(".") for name in imported_names(source, module))
    return {part[2] for part in parts if part[1:2] == ["datasets"] and len(part) > 2}


@pytest.mark.parametrize(
    "folder",
    sorted(path.parent for path in FOLDER.glob("*/__init__.py")),
    ids=lambda folder: folder.name,
)
def test_subpackage_imports_only_shared_subpackages(folder):
    allowed = {folder.name, *ALLOWED.get(folder.name, set())}
    if folder.name not in SHARED:
        allowed |= SHARED
    for path in folder.rglob("*.py"):
        source = path.read_text("utf-8")
        module = ".".join(path.relative_to(FOLDER.parents[1]).with_suffix("").parts)
        assert find_imported_subpackages(source, module) <= allowed, path
        assert source.startswith('"""'), path


@pytest.mark.parametrize(
    "source",
    [
        "from keras_mmfusion.datasets.captions import read_flickr8k",
        "from keras_mmfusion.datasets.captions.coco_captions import read_coco",
        "from keras_mmfusion.datasets import captions",
        "def read():\n    import keras_mmfusion.datasets.captions",
        "from ..captions import read_flickr8k",
    ],
)
def test_check_finds_imports_of_other_subpackages(source):
    module = "keras_mmfusion.datasets.graphs.planetoid"
    assert find_imported_subpackages(source, module) == {"captions"}
