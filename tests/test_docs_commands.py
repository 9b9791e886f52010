"""The commands shown in the documentation exist, with their options."""

import re
import shlex

import pytest
from cli.parse_command import parse_command
from docs_pages import PAGES, ROOT, blocks_of, name_of

IN_BLOCKS = [
    (page, words)
    for page in PAGES
    for block in blocks_of(page, "sh", "shell")
    for words in block.commands()
]
# Such as `mmfusion train captioner`, without its required arguments.
IN_TEXT = [
    (page, shlex.split(command))
    for page in sorted({*PAGES, *ROOT.glob("docs/**/*.md")})
    for command in re.findall(r"`(mmfusion [^`]+)`", page.read_text(encoding="utf-8"))
]


def commands_of(program):
    return [(page, words) for page, words in IN_BLOCKS if words[0] == program]


def ids(commands):
    return [f"{name_of(page)}: {' '.join(words)}" for page, words in commands]


@pytest.mark.parametrize(
    ("page", "words"), commands_of("mmfusion"), ids=ids(commands_of("mmfusion"))
)
def test_command_in_block_parses(page, words, capsys):
    status, printed = parse_command(words[1:], capsys)
    assert status == 0, printed


@pytest.mark.parametrize(("page", "words"), IN_TEXT, ids=ids(IN_TEXT))
def test_command_in_text_exists(page, words, capsys):
    status, printed = parse_command([word for word in words[1:] if word != "..."], capsys)
    unfinished = "Missing", "requires an argument", "Usage:"
    assert status == 0 or any(words in printed for words in unfinished), printed
    assert "No such" not in printed


def test_parse_rejects_unknown_commands_and_options(capsys):
    assert parse_command(["caption", "photo.jpg", "--no-such-option"], capsys)[0] == 2
    assert "No such" in parse_command(["evaluate", "nothing"], capsys)[1]


@pytest.mark.parametrize(("page", "words"), commands_of("python"), ids=ids(commands_of("python")))
def test_script_exists_with_its_options(page, words):
    source = (ROOT / words[1]).read_text(encoding="utf-8")
    options = [word.split("=")[0] for word in words if word.startswith("--")]
    assert [option for option in options if f'"{option}"' not in source] == []


def test_installation_page_lists_every_extra():
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    table = (ROOT / "docs" / "installation.md").read_text(encoding="utf-8")
    extras = re.findall(r'^    "(\w+)": \[', setup, re.M)
    assert len(extras) > 10
    assert [extra for extra in extras if f"`{extra}`" not in table] == []


@pytest.mark.parametrize(("page", "words"), commands_of("pip"), ids=ids(commands_of("pip")))
def test_extra_in_pip_command_exists(page, words):
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    for extras in re.findall(r"\[([a-z,]+)\]", " ".join(words)):
        assert [extra for extra in extras.split(",") if f'"{extra}": [' not in setup] == []
