"""Keras without the log lines that TensorFlow prints whenever it is imported."""

import os
import sys
import tempfile

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_keras():
    """Imports Keras and KerasHub; what native code says meanwhile is shown only on failure.

    A `TF_CPP_MIN_LOG_LEVEL` in the environment is obeyed, and then nothing is held back.
    """
    if _LEVEL in os.environ or "keras_hub" in sys.modules:
        return _import()
    os.environ[_LEVEL] = "3"
    # TensorFlow's first lines come before it reads its level, and from below Python's sys.stderr.
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            _import()
        except BaseException:
            held.seek(0)
            os.write(shown, held.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)


def _import():
    import keras  # noqa: F401
    import keras_hub  # noqa: F401
