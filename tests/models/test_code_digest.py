import shutil
from pathlib import Path

import pytest

import keras_mmfusion
from keras_mmfusion.models.runs import code_digest as module
from keras_mmfusion.models.runs.code_digest import code_structure, compute_code_digest

SOURCE = '''"""A module."""


def twice(x):
    """Doubles."""
    # Why.
    return 2 * x
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', ""),
        ('"""Doubles."""', '"""Doubles a number."""'),
        ("# Why.", "# Because."),
        ("return 2 * x", "return (2*x)"),
    ],
)
def test_code_structure_ignores_comments_and_formatting(old, new):
    assert code_structure(SOURCE.replace(old, new)) == code_structure(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2 * x", "3 * x"),
        ("2 * x", "2.0 * x"),
        ("2 * x", "'2' * x"),
        ("2 * x", "2 + x"),
        ("2 * x", "x"),
        ("(x)", "(x=1)"),
        ("def", "async def"),
        ("    return 2 * x", "    if x:\n        return 2 * x"),
    ],
)
def test_code_structure_depends_on_code(old, new):
    assert code_structure(SOURCE.replace(old, new)) != code_structure(SOURCE)


def test_code_digest_covers_the_code_of_a_task(tmp_path, monkeypatch):
    package = tmp_path / "keras_mmfusion"
    shutil.copytree(Path(keras_mmfusion.__file__).parent, package)
    monkeypatch.setattr(module, "_PACKAGE", package)

    def digest():
        return compute_code_digest.__wrapped__("captioning")  # Bypass the cache.

    before = digest()
    for path in ("cli/train.py", "models/sentiment/sentiment_recipe.py", "zoo/mirror.py"):
        with (package / path).open("a") as file:
            file.write("\n_UNRELATED = 1\n")
    assert digest() == before
    for path in (
        "datasets/images/read_image.py",
        "models/runs/image_digest.py",
        "models/captioning/decoding/caption.py",
    ):
        with (package / path).open("a") as file:
            file.write("\n_RELATED = 1\n")
        assert digest() != before
        before = digest()
