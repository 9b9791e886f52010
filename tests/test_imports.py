"""What the package offers: light to import, complete, documented."""

import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import keras_mmfusion

PACKAGES = ["keras_mmfusion"] + [
    module.name
    for module in pkgutil.walk_packages(keras_mmfusion.__path__, "keras_mmfusion.")
    if module.ispkg
]
LAZY = [name for name in PACKAGES if hasattr(importlib.import_module(name), "__all__")]


def exports():
    """Every public class and function, once, with the package that offers it."""
    seen = {}
    for package in LAZY:
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            if not inspect.ismodule(value):
                seen.setdefault(value, (package, name))
    return sorted(seen.values())


def heavy_modules(*arguments):
    """Which of the heavy packages a fresh Python has loaded after it ran something."""
    code = (
        "import atexit, sys\n"
        "heavy = 'keras', 'keras_hub', 'tensorflow', 'torch', 'jax', 'matplotlib', 'nltk'\n"
        "atexit.register(lambda: print('loaded:', *[m for m in heavy if m in sys.modules]))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code + "\n".join(arguments)],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return run.stdout.rpartition("loaded:")[2].split()


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_nothing_heavy(package):
    assert heavy_modules(f"import {package}") == []


def test_importing_the_package_takes_milliseconds():
    # Without site-packages, whose own imports would hide those of the package.
    code = "import sys, keras_mmfusion; print(*sys.modules)"
    root = str(Path(keras_mmfusion.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert {"importlib.abc", "tempfile", "typing"}.isdisjoint(run.stdout.split())


@pytest.mark.parametrize(
    "command", ["", "caption ", "caption-dataset ", "export captioner ", "train captioner ", "zoo "]
)
def test_help_loads_nothing_heavy(command):
    lines = (
        "from keras_mmfusion.cli.main import main",
        f"sys.argv = ['mmfusion', *'{command}--help'.split()]",
        "main()",
    )
    assert heavy_modules(*lines) == []


def test_a_heavy_import_would_be_seen():
    assert "keras" in heavy_modules("from keras_mmfusion import CrossModalAttention")


@pytest.mark.parametrize("package", LAZY)
def test_every_exported_name_resolves(package):
    module = importlib.import_module(package)
    assert module.__all__ == sorted(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        value = getattr(module, name)
        assert inspect.ismodule(value) or value.__name__ == name


def test_a_model_of_each_task_is_at_the_top_level():
    assert {
        *("ImageCaptioningModel", "FusionModel", "ContrastiveModel", "ConversationModel"),
        *("Recommender", "losses"),
    } <= set(keras_mmfusion.__all__)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="'keras_mmfusion' has no attribute 'nothing'"):
        _ = keras_mmfusion.nothing


@pytest.mark.parametrize("package", LAZY)
def test_no_module_has_the_name_of_an_export(package):
    # Importing such a module would put it in the export's place.
    module = importlib.import_module(package)
    names = {each.name for each in pkgutil.iter_modules(module.__path__)}
    exported = {name for name in module.__all__ if not inspect.ismodule(getattr(module, name))}
    assert not names & exported


@pytest.mark.parametrize(("package", "name"), exports(), ids=lambda value: value)
def test_every_export_is_documented(package, name):
    value = getattr(importlib.import_module(package), name)
    text = inspect.getdoc(value) or ""
    own = value.__doc__ if inspect.isclass(value) else text
    assert own, "has no docstring of its own"
    assert re.match(r"[A-Z\"'].*\S", text), "does not open with a summary"
    if inspect.isclass(value) and issubclass(value, Exception):
        return
    # Of a class without an `__init__` of its own, Python 3.11.2 would give Keras's `__new__`'s.
    call = value.__init__ if inspect.isclass(value) else value
    parameters = [
        parameter
        for parameter in inspect.signature(call).parameters.values()
        if parameter.kind != parameter.VAR_KEYWORD and parameter.name != "self"
    ]
    for parameter in parameters:
        documented = re.search(rf"\b{re.escape(parameter.name)}\b", text)
        assert documented, f"says nothing of `{parameter.name}`"
    if parameters:
        assert "Args:" in text
    if inspect.isfunction(value):
        assert "Returns:" in text
