"""Pictures as files, with matplotlib where it is installed."""

import functools
import io
import os
import pathlib

from keras_mmfusion._extras import require_extra

_DPI = 110


def figure_class():
    """Matplotlib's class of figures. Without pyplot: no display, no state to close.

    A notebook shows one that a cell ends with; it knows matplotlib's own class only after
    pyplot was imported.
    """
    require_extra("explain", "Drawing a picture", "matplotlib")
    return _notebook_figure()


@functools.cache
def _notebook_figure():
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        def _repr_png_(self):
            file = io.BytesIO()
            self.savefig(file, dpi=_DPI, format="png")
            return file.getvalue()

    return NotebookFigure


def check_picture_path(path):
    """Raises what a plot would raise for its `path`, before any work is done."""
    new_figure = figure_class()
    path = pathlib.Path(path)
    formats = new_figure().canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise ValueError(
            f"`path` must end in the format of a picture: {', '.join(f'.{f}' for f in formats)}. "
            f"Received: {str(path)!r}"
        )
    if not path.absolute().parent.is_dir():
        raise ValueError(f"`path` must lie in a folder that is there. Received: {str(path)!r}")


def save_picture(figure, path):
    """Writes a figure, whole or not at all."""
    check_picture_path(path)
    part = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        figure.savefig(part, dpi=_DPI, format=path.suffix[1:].lower())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
