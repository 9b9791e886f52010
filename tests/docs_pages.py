"""The pages with code blocks, and their parsed blocks."""

import itertools
import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    page
    for page in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted(ROOT.glob("docs/**/*.md")),
        *sorted(ROOT.glob("zoo/*/README.md")),
    )
    if "```" in page.read_text(encoding="utf-8")
]
# A block inside a list or a note is indented.
FENCED = re.compile(
    r"^(?:<!-- (?P<mark>(?:not )?run)(?:: (?P<reason>[^\n]+))? -->\n)?"
    r"(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A code block of a page, and the number of its first line.

    Tests run Python blocks, except those marked with `<!-- not run: reason -->`, and the commands
    of shell blocks marked with `<!-- run -->`.
    """

    language: str
    code: str
    line: int
    mark: str | None
    reason: str | None

    @property
    def is_run(self):
        return self.mark == "run" or self.language == "python" and self.mark is None

    def commands(self):
        """Returns the words of each command of a shell block, with the program's base name."""
        commands = []
        for line in re.sub(r"\\\n", " ", self.code).splitlines():
            for is_separator, words in itertools.groupby(
                shlex.split(line, comments=True), lambda word: word in ("&&", "|")
            ):
                if not is_separator:
                    program, *arguments = words
                    commands.append([Path(program).name, *arguments])
        return commands


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks_of(page, *languages):
    """Returns the blocks of a page in these languages, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            found["language"],
            found["code"],
            text.count("\n", 0, found.start("code")) + 1,
            found["mark"],
            found["reason"],
        )
        for found in FENCED.finditer(text)
        if found["language"] in languages
    ]
