"""The import that a command's user waits for, in one place."""


def import_keras():
    """Imports Keras and KerasHub, which takes seconds; commands check their arguments before."""
    import keras  # noqa: F401
    import keras_hub  # noqa: F401
