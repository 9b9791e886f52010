"""Progress bars and informational lines on stderr, and the switch that silences them."""

import contextlib
import sys

_silent = False


@contextlib.contextmanager
def silence():
    """Suppresses all progress bars and informational lines within the context.

    Example:

    >>> from keras_mmfusion._progress import inform, silence
    >>> with silence():
    ...     inform("not written")
    """
    global _silent
    before, _silent = _silent, True
    try:
        yield
    finally:
        _silent = before


def is_silent():
    """Returns whether progress and informational lines are suppressed."""
    return _silent


def inform(message):
    """Writes an informational line to stderr.

    Args:
        message: string.
    """
    if not _silent:
        print(message, file=sys.stderr, flush=True)


def track(items, description, total=None):
    """Iterates over items and shows the progress, the rate and the remaining time.

    Args:
        items: iterable.
        description: string.
        total: int. The number of items. Defaults to `len(items)`, where `items` has a length.

    Yields:
        The items.

    Example:

    >>> from keras_mmfusion._progress import track
    >>> sum(track([1, 2, 3], "Adding"))
    6
    """
    if total is None and hasattr(items, "__len__"):
        total = len(items)
    with progress_bars() as bars:
        yield from bars.track(items, total=total, description=description)


def progress_bars(*columns):
    """Makes progress bars that are visible only on a terminal or in a notebook.

    Args:
        *columns: `rich.progress.ProgressColumn`s between the bar and the remaining time. Defaults
            to the number of completed items and their rate.

    Returns:
        A `rich.progress.Progress`, which is a context manager.
    """
    # rich takes 0.1 s to import, which commands without progress save.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *(columns or (MofNCompleteColumn(), _rate_column())),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        # rich writes redirected output to stderr: harmless on a terminal, wrong for a pipe.
        redirect_stdout=sys.stdout.isatty(),
        disable=_silent or not (console.is_terminal or console.is_jupyter),
    )


def _rate_column():
    from rich.progress import ProgressColumn
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task):
            return Text(format_rate(task.finished_speed or task.speed))

    return RateColumn()


def format_rate(per_second):
    """Formats a rate, or `None` for an unknown one, as a short string.

    Example:

    >>> format_rate(12.34), format_rate(0.25), format_rate(None)
    ('12.3/s', '4.0 s each', '')
    """
    if not per_second:
        return ""
    return f"{per_second:,.1f}/s" if per_second >= 1 else f"{1 / per_second:,.1f} s each"
