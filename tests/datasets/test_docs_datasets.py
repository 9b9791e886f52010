"""The examples on the pages of the data sets."""

import ast
import importlib
import inspect
import re
import wave
from pathlib import Path

import numpy as np
import pytest
from photos import photo
from PIL import Image

PAGES = sorted((Path(__file__).resolve().parents[2] / "docs" / "datasets").glob("*.md"))
TEXTS = [page.read_text(encoding="utf-8") for page in PAGES]
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", "\n".join(TEXTS), re.M | re.S)


def imported(tree):
    """Name -> what the example imports from this package under it."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("keras_mmfusion"):
            module = importlib.import_module(node.module)
            found |= {alias.name: getattr(module, alias.name) for alias in node.names}
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_what_an_example_calls_is_there_and_takes_its_arguments(example):
    tree = ast.parse(example)
    names = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) in names:
            if any(isinstance(argument, ast.Starred) for argument in node.args):
                continue
            keywords = {keyword.arg: None for keyword in node.keywords}
            signature = inspect.signature(names[node.func.id])
            signature.bind(*node.args, **keywords)
    assert names or "import tensorflow as tf" in example


@pytest.mark.parametrize("text", TEXTS, ids=[page.stem for page in PAGES])
def test_every_page_has_an_example(text):
    assert "```python\n" in text


def test_the_pages_have_the_examples():
    assert len(EXAMPLES) >= 8


def test_the_table_of_patients(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    rows = re.search(r"^```\n(split,.*?)^```$", "\n".join(TEXTS), re.M | re.S)[1]
    (tmp_path / "patients.csv").write_text(rows)
    for name in "1.jpg", "2.jpg":
        Image.fromarray(photo(20, 30)).save(tmp_path / name)
    with wave.open(str(tmp_path / "1.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
        file.writeframes(np.zeros(900, "<i2").tobytes())
    monkeypatch.chdir(tmp_path)
    (example,) = (each for each in EXAMPLES if "patients.csv" in each)
    # Two batches are not worth compiling a graph.
    example = example.replace("epochs=10", "epochs=1")
    example = example.replace('"mse")', '"mse", run_eagerly=True)')
    variables = {}
    exec(example, variables)
    assert np.isfinite(variables["model"].history.history["loss"]).all()
