"""Ctrl-C: one line instead of a traceback, and the exit status that shells expect."""

import contextlib
import signal

import typer

INTERRUPTED = 128 + signal.SIGINT  # 130


@contextlib.contextmanager
def says_how_to_resume(remark="the same command goes on from here"):
    """Within it, Ctrl-C says how the work that was begun goes on.

    Args:
        remark: string. What the line says.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise interrupted(remark) from interrupt


def interrupted(remark=None):
    """Says that the command was interrupted; returns the exception that ends it."""
    typer.echo("mmfusion: interrupted" + (f"; {remark}" if remark else ""), err=True)
    return typer.Exit(INTERRUPTED)
