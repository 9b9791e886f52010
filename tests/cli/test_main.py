import errno
import importlib.metadata
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

import keras_mmfusion
from keras_mmfusion.cli.app import Commands, app

HEAVY = ("keras", "keras_hub", "tensorflow", "torch", "jax", "numpy")


def run(*arguments):
    command = [sys.executable, "-W", "error", "-m", "keras_mmfusion.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["zoo", "--help"], ["zoo", "list"], ["--version"]]
)
def test_help_and_listings_do_not_import_heavy_packages(arguments):
    code = (
        f"import sys; sys.argv = ['mmfusion', *{arguments}]\n"
        "from keras_mmfusion.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as exit: status = exit.code\n"
        f"print(status, sorted(set({HEAVY}) & set(sys.modules)), file=sys.stderr)\n"
    )
    command = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert command.stderr.splitlines()[-1] == "0 []"


def test_expected_error_is_one_line_on_stderr():
    command = run("zoo", "show", "efficientnet_lite0_imagnet")

    assert command.returncode == 2
    assert command.stdout == ""
    assert len(command.stderr.splitlines()) == 1
    assert command.stderr.startswith("mmfusion: Unknown preset 'efficientnet_lite0_imagnet'. Did")


def test_debug_shows_the_traceback():
    command = run("--debug", "zoo", "show", "nothing")

    assert command.returncode == 1
    assert command.stderr.startswith("Traceback")
    assert "ValueError: Unknown preset 'nothing'" in command.stderr


def test_help_without_a_command():
    command = CliRunner().invoke(app, [])

    assert "Usage:" in command.output
    assert "zoo" in command.output


def test_unknown_command_exits_with_2():
    command = CliRunner().invoke(app, ["captoin"])

    assert command.exit_code == 2
    assert "captoin" in command.output


@pytest.fixture
def failing():
    """A command line with one command that raises a given error."""
    commands = typer.Typer(cls=Commands, pretty_exceptions_enable=False)
    raised = []

    @commands.callback()
    def root(debug: bool = False):
        pass

    @commands.command()
    def fail():
        raise raised[0]

    def invoke(error):
        raised.append(error)
        return CliRunner().invoke(commands, ["fail"])

    return invoke


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("`a` must be\n  positive."), "mmfusion: `a` must be positive.\n"),
        (
            FileNotFoundError(errno.ENOENT, "No such file", "a.jpg"),
            "mmfusion: [Errno 2] No such file: 'a.jpg'\n",
        ),
        (ValueError(), "mmfusion: ValueError\n"),
    ],
)
def test_value_and_file_errors_are_expected(failing, error, line):
    command = failing(error)

    assert (command.exit_code, command.stderr) == (2, line)


@pytest.mark.parametrize("error", [TypeError("a bug"), KeyError("a bug")])
def test_bugs_are_not_hidden(failing, error):
    command = failing(error)

    assert command.exit_code == 1
    assert command.exception is error


def test_closed_pipe_prints_no_error():
    code = (
        "import subprocess, sys\n"
        "command = subprocess.Popen([sys.executable, '-u', '-m', 'keras_mmfusion.cli.main', 'zoo',"
        " 'list', '--json'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)\n"
        "command.stdout.close()\n"
        "print(command.stderr.read().decode())\n"
    )
    command = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert command.stdout.strip() == ""


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["caption"], ["caption-dataset"], ["score"], ["search"]),
        *([group] for group in ("evaluate", "export", "train", "zoo")),
        *(
            ["export", "captioner"],
            ["train", "captioner"],
            ["evaluate", "captioner"],
            ["zoo", "list"],
        ),
    ],
    ids=" ".join,
)
def test_short_and_long_help_are_equal(arguments):
    short, long = (CliRunner().invoke(app, [*arguments, each]) for each in ("-h", "--help"))

    assert short.exit_code == 0
    assert "Usage:" in short.output
    assert short.output == long.output


def test_version_prints_packages():
    command = CliRunner().invoke(app, ["--version"])

    assert command.exit_code == 0
    assert command.stdout.splitlines() == [
        f"keras_mmfusion {keras_mmfusion.__version__}",
        *(
            f"{name} {importlib.metadata.version(name)}"
            for name in ("keras", "keras-hub", "tensorflow")
        ),
    ]


def test_version_of_a_missing_package(monkeypatch):
    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    command = CliRunner().invoke(app, ["--version"])
    assert "tensorflow is not installed" in command.stdout.splitlines()
