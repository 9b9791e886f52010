"""Help texts, options and tasks of all commands."""

import importlib
import subprocess
import sys
from types import ModuleType

import pytest
from cli.parse_command import find_example, list_commands, parse_command
from test_imports import LAZY
from typer.testing import CliRunner

from keras_mmfusion.cli import tasks
from keras_mmfusion.cli.app import app
from keras_mmfusion.cli.commands import add_task_commands

COMMANDS = list_commands()
GROUPS = ("train", "evaluate", "export", "zoo")


def help_of(words):
    shown = CliRunner().invoke(app, [*words, "--help"], terminal_width=200)
    assert shown.exit_code == 0
    return shown.output


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_an_example_that_parses(name, capsys):
    words = find_example(COMMANDS[name])
    assert " ".join(words).startswith(name)
    status, printed = parse_command(words, capsys)
    assert status == 0, printed
    *_, last = help_of(name.split()).split("Example:\n")
    assert last.strip().startswith(f"mmfusion {name}")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_describes_all_options_without_python_names(name):
    exports = {each for package in LAZY for each in importlib.import_module(package).__all__}
    python_names = {each for each in exports if "_" in each or each[1:].lower() != each[1:]}
    words = help_of(name.split()).replace("(", " ").replace(")", " ").split()
    assert python_names.isdisjoint(words)
    for parameter in COMMANDS[name].params:
        assert getattr(parameter, "help", None), parameter.name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_quiet(name):
    assert "--quiet" in [option for each in COMMANDS[name].params for option in each.opts]


@pytest.mark.parametrize("group", ["", *GROUPS])
def test_summaries_fit_into_the_list_of_commands(group):
    lines = CliRunner().invoke(app, [*group.split(), "--help"]).output.splitlines()
    assert [line for line in lines if line.startswith("  ") and line.endswith("...")] == []


def test_a_task_is_one_module(monkeypatch):
    def train(out: str):
        """Train a toy.

        Example:
          mmfusion train toy --out model
        """

    toy = ModuleType(f"{tasks.__name__}.toy")
    toy.train = train
    monkeypatch.setitem(sys.modules, toy.__name__, toy)
    monkeypatch.setattr("pkgutil.iter_modules", lambda path: [type("Info", (), {"name": "toy"})])
    import typer

    toys = typer.Typer()
    for action in ("train", "evaluate"):
        add_task_commands(toys, action, "Toys.")
    assert "Train a toy." in CliRunner().invoke(toys, ["train", "--help"]).output
    assert "toy" not in CliRunner().invoke(toys, ["evaluate", "--help"]).output


BAD_COMMANDS = (
    ["caption", "no_such.jpg"],
    ["caption", "no_such.jpg", "--explain", "out.doc"],
    ["explain", "no_such.jpg", "--preset", "vqa_easy"],
    ["explain", "tests/data/photo.jpg", "--preset", "vqa_easy", "--out", "no_such/why.html"],
    ["search", "no_such_folder", "a dog"],
    ["score", "--references", "no_such.json", "--candidates", "no_such.json"],
    ["train", "captioner", "--out", "new"],
    ["train", "captioner", "--out", "new", "--epochs", "0"],
    ["train", "fusion", "--data", "no_such.csv", "--target", "y", "--text", "x", "--out", "new"],
    ["train", "nodes", "--data", "no_such_folder", "--out", "new.keras"],
    ["train", "recommender", "--data", "no_such_folder", "--out", "new"],
    ["train", "sentiment", "--data", "no_such.npz", "--out", "new"],
    ["train", "survival", "--data", "no_such.csv", "--out", "new"],
    ["evaluate", "captioner"],
    ["evaluate", "fusion", "--preset", "no_such", "--data", "no_such.csv"],
    ["evaluate", "nodes", "--preset", "no_such.keras", "--data", "no_such_folder"],
    ["evaluate", "recommender", "--preset", "no_such", "--data", "no_such.csv"],
    ["evaluate", "retrieval", "--data", "no_such_folder", "--split", "dev"],
    ["evaluate", "sentiment", "--data", "no_such.npz"],
    ["evaluate", "survival", "--preset", "no_such", "--data", "no_such.csv"],
    ["export", "captioner", "--out", "new", "--preset", "no_such"],
    ["export", "edge", "--out", "new", "--preset", "no_such.keras"],
    ["zoo", "show", "no_such"],
)


def test_argument_errors_come_before_keras_is_imported(tmp_path):
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from keras_mmfusion.cli.app import app\n"
        f"for words in {BAD_COMMANDS}:\n"
        "    failed = CliRunner().invoke(app, words)\n"
        "    assert failed.exit_code in (1, 2), (words, failed.output)\n"
        "    assert 'Traceback' not in failed.output\n"
        "    lines = failed.stderr.splitlines()\n"
        "    assert all(line.startswith('mmfusion: ') for line in lines), (words, lines)\n"
        "    loaded = {'keras', 'tensorflow', 'torch', 'jax'} & set(sys.modules)\n"
        "    assert not loaded, (words, loaded)\n"
    )
    checked = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert checked.returncode == 0, checked.stderr
