"""Writes the type stubs of packages with lazy exports: `python -m keras_mmfusion._write_stubs`.

Editors and type checkers do not evaluate `lazy_exports`. Each such package has an `__init__.pyi`
that lists its exports as imports.
"""

import pathlib

from keras_mmfusion._lazy import read_export_tables

ROOT = pathlib.Path(__file__).parent
HEADER = '"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""\n\n'


def make_stubs():
    """Generates the stub of each package with lazy exports.

    Returns:
        A dict of path -> text.
    """
    stubs = {}
    for package, exports in read_export_tables().items():
        folder = ROOT.joinpath(*package.split(".")[1:])
        lines = [_format_import(package, name, exports[name]) for name in sorted(exports)]
        if folder == ROOT:
            lines.append("\n__version__: str\n")
        stubs[folder / "__init__.pyi"] = HEADER + "".join(lines)
    return stubs


def _format_import(package, name, module):
    return f"from {module or package} import {name} as {name}\n"


if __name__ == "__main__":
    for path, text in make_stubs().items():
        path.write_text(text, encoding="utf-8")
