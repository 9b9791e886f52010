"""The Typer application: one module per command, heavy imports inside the functions."""

import importlib.metadata
from typing import Annotated

import typer
import typer.core

import keras_mmfusion
from keras_mmfusion._extras import MissingExtraError
from keras_mmfusion.cli import ask, caption, caption_dataset, demo, explain, score, search, zoo
from keras_mmfusion.cli.commands import add_command, add_task_commands
from keras_mmfusion.cli.exit_codes import USAGE_ERROR
from keras_mmfusion.cli.interruption import report_interruption

# The extra that installs each backend of Keras.
_BACKENDS = {"jax": "keras-mmfusion[jax]", "torch": "keras-mmfusion[torch]"}


class Commands(typer.core.TyperGroup):
    """Root command: reports expected errors in one line on stderr.

    Expected errors are a `ValueError` of this package, an `OSError` of a file or the network, and
    a package that is not installed: exit status 2. Other errors are bugs and show a traceback.
    Ctrl-C is one line too, with exit status 130.
    """

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # typer handles `mmfusion ... | head` quietly.
        except KeyboardInterrupt as interrupt:
            raise report_interruption() from interrupt
        except (ValueError, OSError, ImportError) as error:
            message = _expected_message(error)
            if ctx.params["debug"] or message is None:
                raise
            typer.echo(f"mmfusion: {message}", err=True)
            raise typer.Exit(USAGE_ERROR) from error


def _expected_message(error):
    """Returns an expected error as one line, or `None` for a bug."""
    if isinstance(error, ImportError) and not isinstance(error, MissingExtraError):
        if error.name not in _BACKENDS:
            return None
        return (
            f"Keras is configured to run on {error.name!r} (KERAS_BACKEND or Keras's configuration "
            f"file), which is not installed: pip install '{_BACKENDS[error.name]}'"
        )
    return " ".join(str(error).split()) or type(error).__name__


app = typer.Typer(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},  # Commands inherit it.
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_versions(requested):
    if not requested:
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
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_versions, is_eager=True, help="Print versions and exit."
        ),
    ] = False,
):
    """Multimodal models: caption, ask, search, train, evaluate, export."""


add_command(app, caption.caption)
add_command(
    app,
    caption_dataset.caption_dataset,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
add_command(app, ask.ask)
add_command(app, explain.explain)
add_command(app, demo.demo)
add_command(app, score.score)
add_command(app, search.search)
add_task_commands(app, "train", "Train a model on your own data.")
add_task_commands(app, "evaluate", "Score a trained model on a data set.")
add_task_commands(app, "export", "Export a trained model for serving or for devices.")
app.add_typer(zoo.app, name="zoo")
