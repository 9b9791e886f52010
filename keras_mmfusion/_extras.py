"""Packages that only an extra installs: asked for before the work that needs them."""

import importlib.util


class MissingExtraError(ImportError):
    """A package is missing that an extra of keras-mmfusion installs; the message names it."""


def require_extra(extra, purpose, *modules):
    """Raises an error unless modules of an extra can be imported; imports none of them.

    Args:
        extra: string, one of the extras in setup.py.
        purpose: string. What needs them, as the beginning of a sentence.
        *modules: strings. Names of top-level modules.

    Raises:
        MissingExtraError: if one is not installed.

    Example:

    >>> require_extra("edge", "ONNX", "no_such_module")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    keras_mmfusion._extras.MissingExtraError: ONNX needs no_such_module, which is not ...
    """
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            f"{purpose} needs {' and '.join(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not installed: "
            f"pip install 'keras-mmfusion[{extra}]'"
        )
