"""Tests that examples and documentation use only public names."""

import ast
import importlib
import re

import pytest
from docs_pages import PAGES, ROOT, blocks_of

PACKAGE = "keras_mmfusion"
EXAMPLES = sorted(ROOT.glob("examples/*.py"))
API_PAGES = sorted(ROOT.glob("docs/api/*.md"))


def is_public(package, name):
    """Returns whether a package, public itself, lists a name in its `__all__`."""
    parent, _, last = package.rpartition(".")
    if parent and not is_public(parent, last):
        return False
    return name in getattr(importlib.import_module(package), "__all__", ())


def find_private_imports(code):
    """Returns the imports of names that no public package lists, as a list of dotted paths."""
    imported = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module:
            imported += [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            imported += [
                alias.name.rpartition(".")[::2] for alias in node.names if "." in alias.name
            ]
    return [
        f"{package}.{name}"
        for package, name in imported
        if package.split(".")[0] == PACKAGE and not is_public(package, name)
    ]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_import_public_names(example):
    assert find_private_imports(example.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_import_public_names(page):
    code = "\n".join(block.code for block in blocks_of(page, "python"))
    assert find_private_imports(code) == []


@pytest.mark.parametrize("page", API_PAGES, ids=lambda path: path.name)
def test_api_pages_list_public_names(page):
    names = re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert names
    assert [name for name in names if not is_public(*name.rpartition(".")[::2])] == []


def test_private_imports_are_found():
    code = "import keras_mmfusion\nfrom keras_mmfusion.layers.fusion_block import FusionBlock\n"
    code += (
        "import keras_mmfusion.layers.fusion_block\nfrom keras_mmfusion.layers import FusionBlock"
    )
    assert find_private_imports(code) == [
        "keras_mmfusion.layers.fusion_block.FusionBlock",
        "keras_mmfusion.layers.fusion_block",
    ]
