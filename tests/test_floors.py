"""Each floor of the package imports from earlier floors only, inside functions too."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "keras_mmfusion"
FLOORS = (
    "files",
    "layers",
    "losses",
    "metrics",
    "datasets",
    "encoders",
    "models",
    "explain",
    "serving",
    "zoo",
    "cli",
)
# What every floor may use, beside the floors before it.
GROUND = {"_extras", "_lazy", "__version__"}


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
    """Those imports of a module that reach its own floor's successors, or the whole package."""
    own = FLOORS.index(module.split(".")[1])
    allowed = {*FLOORS[: own + 1], *GROUND}
    found = set()
    for name in imported_names(source, module):
        parts = name.split(".")
        # `import keras_mmfusion` alone names no floor: its lazy exports would reach all of them.
        # Only the command may, for the version.
        if len(parts) == 1:
            if module.split(".")[1] != "cli":
                found.add(name)
        elif parts[1] not in allowed:
            found.add(name)
    return found


def test_every_folder_is_a_floor():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= set(FLOORS)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/**/*.py")), ids=lambda path: path.stem)
def test_imports_come_from_earlier_floors(path):
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
def test_the_check_finds_imports_from_later_floors(source):
    assert forbidden_imports(source, "keras_mmfusion.layers.some_layer")


def test_the_check_allows_the_own_and_earlier_floors():
    source = "from keras_mmfusion.layers import a\nfrom keras_mmfusion.models.b import c\nimport os"
    assert not forbidden_imports(source, "keras_mmfusion.models.some_model")
