"""Registers the classes that a saved configuration names.

Exports are lazy, so a class is registered with Keras only when its module is imported. A
configuration names a class by its registered name, `"keras_mmfusion>GCNLayer"`, and this is what
counts: files stay readable when a module moves.
"""

import importlib

from keras_mmfusion._lazy import find_defining_modules

PREFIX = "keras_mmfusion>"


def register_classes(config):
    """Imports the classes of this package that a configuration names.

    Args:
        config: dict or list, as read from JSON. Its `"module"` entries are not used.
    """
    modules = find_defining_modules()
    for name in sorted(_find_class_names(config)):
        # Sublayers that are not exported are imported by the module of the layer that has them.
        if name in modules:
            getattr(importlib.import_module(modules[name]), name)


def _find_class_names(config):
    if isinstance(config, str):
        return {config.removeprefix(PREFIX)} if config.startswith(PREFIX) else set()
    if isinstance(config, dict):
        config = config.values()
    elif not isinstance(config, list | tuple):
        return set()
    return set().union(*map(_find_class_names, config))
