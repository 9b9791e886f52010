"""Each package imports only from the packages listed before it, also inside functions."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "keras_mmfusion"
LAYERS = (
    "files",
    "graphs",
    "layers",
    "losses",
    "metrics",
    "calibration",
    "datasets",
    "encoders",
    "models",
    "checkpoints",
    "explain",
    "serving",
    "zoo",
    "demo",
    "cli",
)
# What every package may use.
SHARED = {
    "_checks",
    "_extras",
    "_keras_internals",
    "_lazy",
    "_progress",
    "_provenance",
    "_short_repr",
    "__version__",
}


def imported_names(source, module):
    """The dotted names inside keras_mmfusion that a module's source imports.

    Example:

    >>> sorted(imported_names("from keras_mmfusion import zoo, layers", "keras_mmfusion.cli.main"))
    ['keras_mmfusion.layers', 'keras_mmfusion.zoo']
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: -node.level]
                base = ".".join([*parents, *filter(None, [base])])
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == "keras_mmfusion"}


def forbidden_imports(source, module):
    """Returns a module's imports of higher packages, or of `keras_mmfusion` as a whole."""
    own = LAYERS.index(module.split(".")[1])
    allowed = {*LAYERS[: own + 1], *SHARED}
    found = set()
    for name in imported_names(source, module):
        parts = name.split(".")
        # The lazy exports of `keras_mmfusion` give access to every package. Only the command
        # line imports it, for the version.
        if len(parts) == 1:
            if module.split(".")[1] != "cli":
                found.add(name)
        elif parts[1] not in allowed:
            found.add(name)
    return found


def test_every_package_is_listed():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= set(LAYERS)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/**/*.py")), ids=lambda path: path.stem)
def test_module_imports_only_lower_packages(path):
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    assert forbidden_imports(path.read_text(encoding="utf-8"), module) == set()


@pytest.mark.parametrize(
    "source",
    [
        "from keras_mmfusion.zoo import captioner",
        "def load():\n    from keras_mmfusion.zoo.presets import resolve_preset",
        "import keras_mmfusion.cli.main",
        "from keras_mmfusion import zoo",
        "from ..zoo import captioner",
        "from keras_mmfusion import ImageCaptioningModel",
        "import keras_mmfusion",
    ],
)
def test_check_finds_imports_of_higher_packages(source):
    assert forbidden_imports(source, "keras_mmfusion.layers.some_layer")


def test_check_allows_own_and_lower_packages():
    source = "from keras_mmfusion.layers import a\nfrom keras_mmfusion.models.b import c\nimport os"
    assert not forbidden_imports(source, "keras_mmfusion.models.some_model")
