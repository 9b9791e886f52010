"""Lazy exports: a package names what it offers, and a submodule is imported when first asked for.

Keras and TensorFlow take seconds to import; `import keras_mmfusion` must not. (PEP 562)
"""

import importlib

_TABLES = {}  # Package -> its exports.


def lazy_exports(package, exports):
    """Makes `__getattr__`, `__dir__` and `__all__` for a package's `__init__`.

    Args:
        package: string. The package's `__name__`.
        exports: dict, public name -> module that defines it: relative to the package, or its
            full name if it is in another package. An empty string exports the subpackage of that
            name itself.

    Returns:
        A tuple `(__getattr__, __dir__, __all__)`.

    Example:

    >>> getattr_, _, names = lazy_exports("keras_mmfusion", {"layers": ""})
    >>> names
    ['layers']
    >>> getattr_("layers").__name__
    'keras_mmfusion.layers'
    """
    names = sorted(exports)
    _TABLES.setdefault(package, exports)

    def __getattr__(name):
        if name not in exports:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if not exports[name]:
            return importlib.import_module(f"{package}.{name}")
        return getattr(importlib.import_module(_full_name(package, exports[name])), name)

    return __getattr__, lambda: names, names


def read_export_tables():
    """Imports all packages and returns their export tables.

    Returns:
        A dict of package -> dict of name -> module that defines it, or an empty string for a
        subpackage. Packages without lazy exports are left out.
    """
    import pkgutil

    root = importlib.import_module(__package__)
    for info in pkgutil.walk_packages(root.__path__, f"{__package__}."):
        if info.ispkg:
            importlib.import_module(info.name)
    return {
        package: {name: module and _full_name(package, module) for name, module in exports.items()}
        for package, exports in _TABLES.items()
    }


def find_defining_modules():
    """Maps each name that a package exports to the module that defines it.

    Returns:
        A dict, such as `{"GCNLayer": "keras_mmfusion.layers.graph.convolution.gcn_layer"}`.
        Subpackages are left out.
    """
    tables = read_export_tables()
    # A package above the one that holds the module may export a name too: the longest path wins.
    modules = {}
    for package in sorted(tables, key=len):
        modules |= {name: module for name, module in tables[package].items() if module}
    return modules


def import_export(name):
    """Imports a name that a package exports, whichever package it is.

    Args:
        name: string.
    """
    return getattr(importlib.import_module(find_defining_modules()[name]), name)


def _full_name(package, module):
    return module if module.startswith(f"{__package__}.") else f"{package}.{module}"
