"""Tables of docs/ from the results of benchmarks."""

import json
import pathlib

RESULTS = pathlib.Path(__file__).resolve().parent / "results"


def markdown_table(heads, rows, protocol, alignment=None):
    """Writes a Markdown table, followed by a line on the protocol.

    `alignment` has a letter per column, l for text and r for numbers. By default, all columns but
    the first are numbers.
    """
    alignment = alignment or "l" + "r" * (len(heads) - 1)
    lines = [heads, [{"l": "---", "r": "---:"}[letter] for letter in alignment], *rows]
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + ["", protocol, ""])


def format_legend(sentence, entries, last):
    """Formats the explanation of a table as a list.

    Args:
        sentence: string. What the table compares; it ends with a colon or a period.
        entries: dict, name of a column or of a term -> string, its explanation without a period.
        last: string, the line below the list.
    """
    lines = [f"- {name}: {text}." for name, text in entries.items()]
    return "\n".join([sentence, "", *lines, "", last])


def format_cores(machine):
    """Describes the machine of a benchmark."""
    return f"{machine['cores']} CPU cores ({machine['cpu']})"


def result_table(table, files, command, results=RESULTS):
    """Writes a table from files of results, or the command that writes them if they do not exist.

    Args:
        table: function of the JSON values of the files.
        files: string or tuple of strings, names of files in `results`.
        command: string. A script of this folder, or a whole command line.
        results: path.

    Returns:
        A string.
    """
    paths = [results / file for file in ((files,) if isinstance(files, str) else files)]
    if not all(path.exists() for path in paths):
        line = command if " " in command else f"python benchmarks/{command}"
        return f"Not measured yet: run `{line}`.\n"
    return table(*(json.loads(path.read_text(encoding="utf-8")) for path in paths))
