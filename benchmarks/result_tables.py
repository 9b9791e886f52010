"""Tables of docs/ from the files that benchmarks wrote."""

import json
import pathlib

RESULTS = pathlib.Path(__file__).resolve().parent / "results"


def markdown_table(heads, rows, facts):
    """A table in Markdown, with a line of facts under it."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + ["", facts, ""])


def cores(machine):
    """What a table ran on."""
    return f"{machine['cores']} CPU cores ({machine['cpu']})"


def result_table(table, file, command, results=RESULTS):
    """What `table` makes of a file of results; what to run, as long as nothing was measured.

    `command` is a script of this folder, or a whole command line.
    """
    path = results / file
    if not path.exists():
        line = command if " " in command else f"python benchmarks/{command}"
        return f"Not measured yet: `{line}` does.\n"
    return table(json.loads(path.read_text(encoding="utf-8")))
