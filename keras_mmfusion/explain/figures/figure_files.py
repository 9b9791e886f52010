"""Creates matplotlib figures and saves them as files."""

import functools
import io
import pathlib

from keras_mmfusion._extras import require_extra
from keras_mmfusion.files.atomic_files import replace_file

_DPI = 110


def get_figure_class():
    """Returns a subclass of matplotlib's `Figure` that notebooks display.

    It does not need pyplot, which would need a display and keep figures open. Notebooks display
    matplotlib's own class only after pyplot has been imported.
    """
    require_extra("explain", "Plotting", "matplotlib")
    return _make_notebook_figure()


@functools.cache
def _make_notebook_figure():
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        def _repr_png_(self):
            file = io.BytesIO()
            self.savefig(file, dpi=_DPI, format="png")
            return file.getvalue()

    return NotebookFigure


def check_figure_path(path):
    """Checks the `path` of a figure before work on the figure starts.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if the suffix is not supported, or the folder does not exist.
    """
    path = pathlib.Path(path)
    formats = get_figure_class()().canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise ValueError(
            "`path` must have the suffix of an image format: "
            f"{', '.join(f'.{f}' for f in formats)}. Received: {str(path)!r}"
        )
    if not path.absolute().parent.is_dir():
        raise ValueError(f"`path` must be in an existing folder. Received: {str(path)!r}")


def save_figure(figure, path):
    """Writes a figure to a file atomically."""
    check_figure_path(path)
    with replace_file(path) as scratch:
        figure.savefig(scratch, dpi=_DPI, format=path.suffix[1:].lower())
