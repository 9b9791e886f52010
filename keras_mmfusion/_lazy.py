"""Lazy exports: a package names what it offers, and a submodule is imported when first asked for.

Keras and TensorFlow take seconds to import; `import keras_mmfusion` must not. (PEP 562)
"""

import importlib


def lazy_exports(package, exports):
    """Makes `__getattr__`, `__dir__` and `__all__` for a package's `__init__`.

    Args:
        package: string. The package's `__name__`.
        exports: dict of public name -> submodule that defines it, relative to the package. An
            empty submodule exports the subpackage of that name itself.

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

    def __getattr__(name):
        if name not in exports:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if not exports[name]:
            return importlib.import_module(f"{package}.{name}")
        module = importlib.import_module(f"{package}.{exports[name]}")
        return getattr(module, name)

    return __getattr__, lambda: names, names
