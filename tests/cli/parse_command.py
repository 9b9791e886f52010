"""Commands that are parsed without being run."""

import shlex

import pytest
import typer

from keras_mmfusion.cli.app import app


def parse_command(words, capsys):
    """Parses the words after `mmfusion`; returns the exit status and the output."""
    command = typer.main.get_command(app)
    leaf = command
    for word in words:
        leaf = getattr(leaf, "commands", {}).get(word, leaf)
    leaf.callback = lambda **arguments: None
    with pytest.raises(SystemExit) as stopped:
        command.main(words, prog_name="mmfusion")
    printed = capsys.readouterr()
    return stopped.value.code, printed.out + printed.err


def list_commands():
    """Returns a dict of all commands, such as `"train captioner"`, without the groups."""

    def walk(group, names):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(command, [*names, name])
            else:
                yield " ".join([*names, name]), command

    return dict(walk(typer.main.get_command(app), []))


def find_example(command):
    """Returns the words of the example at the end of a command's help, without `mmfusion`."""
    example = command.epilog.partition("Example:\n")[2]
    program, *words = shlex.split(example.replace("\\\n", " "))
    assert program == "mmfusion"
    return words
