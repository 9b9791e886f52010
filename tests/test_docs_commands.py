"""The commands that the documentation shows exist, with their options."""

import re
import shlex

import pytest
import typer
from docs_pages import PAGES, ROOT, blocks_of, name_of

from keras_mmfusion.cli.main import app

IN_BLOCKS = [
    (page, words)
    for page in PAGES
    for block in blocks_of(page, "sh", "shell")
    for words in block.commands()
]
# Such as `mmfusion train captioner`, which may leave out what is required.
IN_TEXT = [
    (page, shlex.split(command))
    for page in sorted({*PAGES, *ROOT.glob("docs/**/*.md")})
    for command in re.findall(r"`(mmfusion [^`]+)`", page.read_text(encoding="utf-8"))
]


def commands_of(program):
    return [(page, words) for page, words in IN_BLOCKS if words[0] == program]


def ids(commands):
    return [f"{name_of(page)}: {' '.join(words)}" for page, words in commands]


def parse(words, capsys):
    """Parses a command of `mmfusion` without doing it: its exit status and what it printed."""
    leaf = command = typer.main.get_command(app)
    for word in words:
        leaf = getattr(leaf, "commands", {}).get(word, leaf)
    leaf.callback = lambda **arguments: None
    with pytest.raises(SystemExit) as stopped:
        command.main(words, prog_name="mmfusion")
    printed = capsys.readouterr()
    return stopped.value.code, printed.out + printed.err


@pytest.mark.parametrize(
    ("page", "words"), commands_of("mmfusion"), ids=ids(commands_of("mmfusion"))
)
def test_a_command_of_a_block_is_one(page, words, capsys):
    status, printed = parse(words[1:], capsys)
    assert status == 0, printed


@pytest.mark.parametrize(("page", "words"), IN_TEXT, ids=ids(IN_TEXT))
def test_a_command_in_the_text_is_one(page, words, capsys):
    status, printed = parse([word for word in words[1:] if word != "..."], capsys)
    unfinished = "Missing", "requires an argument", "Usage:"
    assert status == 0 or any(words in printed for words in unfinished), printed
    assert "No such" not in printed


def test_a_wrong_command_is_found(capsys):
    assert parse(["caption", "photo.jpg", "--no-such-option"], capsys)[0] == 2
    assert "No such" in parse(["evaluate", "nothing"], capsys)[1]


@pytest.mark.parametrize(("page", "words"), commands_of("python"), ids=ids(commands_of("python")))
def test_a_program_is_there_with_its_options(page, words):
    source = (ROOT / words[1]).read_text(encoding="utf-8")
    options = [word.split("=")[0] for word in words if word.startswith("--")]
    assert [option for option in options if f'"{option}"' not in source] == []


def test_every_extra_is_explained():
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    table = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    extras = re.findall(r'^    "(\w+)": \[', setup, re.M)
    assert len(extras) > 10
    assert [extra for extra in extras if f"`{extra}`" not in table] == []


@pytest.mark.parametrize(("page", "words"), commands_of("pip"), ids=ids(commands_of("pip")))
def test_an_extra_is_there(page, words):
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    for extras in re.findall(r"\[([a-z,]+)\]", " ".join(words)):
        assert [extra for extra in extras.split(",") if f'"{extra}": [' not in setup] == []
