"""Functions to commands: the docstring is the help, its `Example:` section the help's end."""

import contextlib
import functools
import importlib
import inspect
import pkgutil
from typing import Annotated

import typer

from keras_mmfusion._progress import silence
from keras_mmfusion.cli import tasks

Quiet = Annotated[
    bool, typer.Option("--quiet", help="Print results only: no progress, no informational lines.")
]


def add_command(app, function, name=None, **settings):
    """Adds a function as a command, with the option `--quiet`.

    Args:
        app: `typer.Typer`.
        function: its docstring describes the command and ends with a section `Example:`.
        name: string. Defaults to the name of the function.
        **settings: arguments of `typer.Typer.command`.
    """
    description, _, example = inspect.getdoc(function).partition("\nExample:\n")
    # click keeps the line breaks of a paragraph that starts with \b.
    epilog = f"\b\nExample:\n{example}" if example else None
    app.command(name, help=description.strip(), epilog=epilog, **settings)(_add_quiet(function))


def _add_quiet(function):
    @functools.wraps(function)
    def command(*args, quiet, **kwargs):
        with silence() if quiet else contextlib.nullcontext():
            return function(*args, **kwargs)

    signature = inspect.signature(function)
    quiet = inspect.Parameter(
        "quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Quiet
    )
    command.__signature__ = signature.replace(parameters=[*signature.parameters.values(), quiet])
    command.__annotations__ = {**function.__annotations__, "quiet": Quiet}
    return command


def add_task_commands(app, action, description):
    """Adds a group with a command for each module of `cli/tasks` that defines the action.

    Args:
        app: `typer.Typer`.
        action: string. The name of the group and of the function in the modules.
        description: string. The help of the group.
    """
    group = typer.Typer(no_args_is_help=True, help=description)
    for module in pkgutil.iter_modules(tasks.__path__):
        function = getattr(importlib.import_module(f"{tasks.__name__}.{module.name}"), action, None)
        if function is not None:
            add_command(group, function, module.name.replace("_", "-"))
    app.add_typer(group, name=action)
