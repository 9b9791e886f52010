"""The `mmfusion` command: one module per subcommand, heavy imports inside the functions."""

import sys
from typing import Annotated

import typer
import typer.core

from keras_mmfusion.cli import caption, caption_dataset, evaluate, export, score, search, train, zoo


class Commands(typer.core.TyperGroup):
    """Commands whose expected errors are one line on stderr and exit status 2.

    Expected are what the package says to its user in a `ValueError`, and what the system says of
    a file or the network in an `OSError`; anything else is a fault of ours and shows where.
    """

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # `mmfusion ... | head` is no error; typer ends quietly.
        except (ValueError, OSError) as error:
            if ctx.params["debug"]:
                raise
            message = " ".join(str(error).split()) or type(error).__name__
            typer.echo(f"mmfusion: {message}", err=True)
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)


@app.callback()
def mmfusion(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error arose.")] = False,
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
    sys.exit(app())


if __name__ == "__main__":
    main()
