"""Suppresses the log lines of TensorFlow's native code, unless the user sets a log level.

TensorFlow writes its first lines to file descriptor 2, not to Python's `sys.stderr`, before it
reads `TF_CPP_MIN_LOG_LEVEL`. This module buffers them while TensorFlow is imported. Afterwards, it
prints the lines of the requested level and all lines that are not log lines.
"""

import contextlib
import importlib.machinery
import os
import re
import sys

LEVEL_VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
QUIET = "3"
_FILTERED = ("1", "2", "3")  # The levels that suppress lines.
_SEVERITIES = "IWEF"  # The level is the index of the lowest severity that is printed.
_LOG_LINE = re.compile(rb"(?:\d{4}-\d\d-\d\d \S+ )?([IWEF])(?:\d{4} | tensorflow/)")
_NOTICE = b"WARNING: All log messages before absl::InitializeLog()"


def quiet_tensorflow():
    """Makes TensorFlow quiet if it is not imported yet and the environment sets no log level.

    If `TF_CPP_MIN_LOG_LEVEL` is 1, 2 or 3, that level also applies to the first lines. If it is 0,
    TensorFlow prints all lines.
    """
    if "tensorflow" in sys.modules:
        return
    level = os.environ.setdefault(LEVEL_VARIABLE, QUIET)
    if level in _FILTERED:
        sys.meta_path.insert(0, _TensorFlowFinder())


# No subclass of importlib's abstract class: importing that would take longer than the package.
class _TensorFlowFinder:
    """Finds TensorFlow as Python does, with a loader that suppresses its log lines."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec and type(spec.loader) is importlib.machinery.SourceFileLoader:
            spec.loader = _QuietLoader(spec.loader.name, spec.loader.path)
        return spec


class _QuietLoader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module):
        with _filter_log_lines():
            super().exec_module(module)


@contextlib.contextmanager
def _filter_log_lines():
    """Filters the lines written to file descriptor 2; after an error, prints all of them."""
    import tempfile

    try:
        shown = os.dup(2)
    except OSError:  # A program without stderr.
        yield
        return
    if sys.stderr:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as buffer:
        os.dup2(buffer.fileno(), 2)
        level = os.environ.get(LEVEL_VARIABLE)
        level = int(level) if level in _FILTERED else 0
        try:
            yield
        except Exception:
            level = 0  # Any line may explain the error. Ctrl-C is not an error.
            raise
        finally:
            if sys.stderr:
                sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
            buffer.seek(0)
            for line in buffer:
                if level == 0 or not _is_below(line, level):
                    os.write(2, line)


def _is_below(line, level):
    """Whether a line is a log line of native code of a severity below `level`."""
    found = _LOG_LINE.match(line)
    if found is None:
        return line.startswith(_NOTICE)
    return _SEVERITIES.index(found.group(1).decode()) < level
