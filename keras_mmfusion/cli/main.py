"""The `mmfusion` command: one module per subcommand, heavy imports inside the functions."""

import importlib.metadata
import signal
import sys
from typing import Annotated

import typer
import typer.core

import keras_mmfusion
from keras_mmfusion._extras import MissingExtraError
from keras_mmfusion.cli import caption, caption_dataset, evaluate, export, score, search, train, zoo
from keras_mmfusion.cli.interruption import INTERRUPTED, interrupted

# What each of Keras's backends is installed by.
_BACKENDS = {"jax": "keras-mmfusion[jax]", "torch": "keras-mmfusion[torch]"}


class Commands(typer.core.TyperGroup):
    """Commands whose expected errors are one line on stderr and exit status 2.

    Expected are what the package says to its user in a `ValueError`, what the system says of a
    file or the network in an `OSError`, and a package that is not installed; anything else is a
    fault of ours and shows where. Ctrl-C is one line too, with exit status 130.
    """

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # `mmfusion ... | head` is no error; typer ends quietly.
        except KeyboardInterrupt as interrupt:
            raise interrupted() from interrupt
        except (ValueError, OSError, ImportError) as error:
            message = _message(error)
            if ctx.params["debug"] or message is None:
                raise
            typer.echo(f"mmfusion: {message}", err=True)
            raise typer.Exit(2) from error


def _message(error):
    """An expected error as one line, or `None` for a fault of ours."""
    if isinstance(error, ImportError) and not isinstance(error, MissingExtraError):
        if error.name not in _BACKENDS:
            return None
        return (
            f"Keras is to run on {error.name!r} (KERAS_BACKEND, or Keras's own configuration), "
            f"which is not installed: pip install '{_BACKENDS[error.name]}'"
        )
    return " ".join(str(error).split()) or type(error).__name__


app = typer.Typer(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},  # Commands inherit it.
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_versions(wanted):
    if not wanted:
        return
    typer.echo(f"keras_mmfusion {keras_mmfusion.__version__}")
    for package in ("keras", "keras-hub", "tensorflow"):
        try:
            typer.echo(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            typer.echo(f"{package} is not installed")
    raise typer.Exit()


@app.callback()
def mmfusion(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error arose.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_versions, is_eager=True, help="Print versions and exit."
        ),
    ] = False,
):
    """Fuse what a system sees, hears and reads: caption photos, train, evaluate."""


app.command()(caption.caption)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    caption_dataset.caption_dataset
)
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(export.app, name="export")
app.command()(score.score)
app.command()(search.search)
app.add_typer(train.app, name="train")
app.add_typer(zoo.app, name="zoo")


def main():
    """Runs the command line; the console script `mmfusion`."""
    try:
        sys.exit(app())
    except SystemExit as exit:
        if exit.code == INTERRUPTED:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # A second Ctrl-C changes nothing.
        raise


if __name__ == "__main__":
    main()
