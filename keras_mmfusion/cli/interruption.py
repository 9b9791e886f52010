"""Ctrl-C: one line instead of a traceback, and the exit status that shells expect."""

import contextlib

import typer

from keras_mmfusion.cli.exit_codes import INTERRUPTED


@contextlib.contextmanager
def explain_interruption(remark):
    """Adds a remark to the line that Ctrl-C prints.

    Args:
        remark: string. How to resume the work.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise report_interruption(remark) from interrupt


def report_interruption(remark=None):
    """Prints that the command was interrupted and returns the exception that ends it."""
    typer.echo("mmfusion: interrupted" + (f"; {remark}" if remark else ""), err=True)
    return typer.Exit(INTERRUPTED)
