"""TensorFlow without the log lines of its native code, unless the user asks for them.

TensorFlow prints its first lines before it reads `TF_CPP_MIN_LOG_LEVEL`, from below Python's
`sys.stderr`. So they are held back while TensorFlow is imported, by whichever part of a program
imports it, and those of the wanted level and all that is no log line are printed afterwards.
"""

import contextlib
import importlib.machinery
import os
import re
import sys

LEVEL_VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
QUIET = "3"
_KEPT = ("1", "2", "3")  # The levels that hold lines back.
_SEVERITIES = "IWEF"  # The level is the index of the lowest severity that is printed.
_LOG_LINE = re.compile(rb"(?:\d{4}-\d\d-\d\d \S+ )?([IWEF])(?:\d{4} | tensorflow/)")
_NOTICE = b"WARNING: All log messages before absl::InitializeLog()"


def quiet_tensorflow():
    """Makes TensorFlow quiet if it is not imported yet and the environment sets no log level.

    With `TF_CPP_MIN_LOG_LEVEL` set to 1, 2 or 3, that level is kept, from the first line on. With
    0 nothing is changed: TensorFlow prints all that it has to say.
    """
    if "tensorflow" in sys.modules:
        return
    level = os.environ.setdefault(LEVEL_VARIABLE, QUIET)
    if level in _KEPT:
        sys.meta_path.insert(0, _TensorFlowFinder())


# Without importlib's abstract class: its module imports more than the whole package does.
class _TensorFlowFinder:
    """Finds TensorFlow as Python does, and has it loaded quietly."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec and type(spec.loader) is importlib.machinery.SourceFileLoader:
            spec.loader = _QuietLoader(spec.loader.name, spec.loader.path)
        return spec


class _QuietLoader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module):
        with _log_lines_held_back():
            super().exec_module(module)


@contextlib.contextmanager
def _log_lines_held_back():
    """Holds back what goes to file descriptor 2; after an error, all of it is printed."""
    import tempfile

    try:
        shown = os.dup(2)
    except OSError:  # A program without stderr.
        yield
        return
    if sys.stderr:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        level = os.environ.get(LEVEL_VARIABLE)
        level = int(level) if level in _KEPT else 0
        try:
            yield
        except Exception:
            level = 0  # Any line may tell what is wrong; after Ctrl-C nothing is.
            raise
        finally:
            if sys.stderr:
                sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
            held.seek(0)
            for line in held:
                if level == 0 or not _is_below(line, level):
                    os.write(2, line)


def _is_below(line, level):
    """Whether a line is a log line of native code of a severity below `level`."""
    found = _LOG_LINE.match(line)
    if found is None:
        return line.startswith(_NOTICE)
    return _SEVERITIES.index(found.group(1).decode()) < level
