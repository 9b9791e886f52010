"""Fills the tables of README.md, docs/ and the model cards from files of results.

    python zoo/update_score_tables.py           # write
    python zoo/update_score_tables.py --check   # exit status 1 if a table is not up to date

A table is between `<!-- NAME:begin -->` and `<!-- NAME:end -->`, where NAME is

    scores PRESET           the scores of a preset, from `zoo/PRESET/results*.json`
    scores TASK             the scores of all presets of a task, as in their `card.json`
    scores PRESET|TASK DATA the same on other data, as in the results' protocol
    stages PRESET           the training stages of a captioner, from `zoo/PRESET/log_*.csv`
    types PRESET KIND       the accuracy of a question answerer for each type of questions
    runs PRESET             the scores of the recipe of a preset for each seed
    presets                 all presets
    any other name          a table in the `TABLES` of a `benchmarks/*_tables.py`
"""

import argparse
import functools
import importlib
import re
import sys
from pathlib import Path

from keras_mmfusion.files.atomic_files import replace_file

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ROOT / "benchmarks"
BLOCK = re.compile(
    r"(?P<begin><!-- (?P<name>[\w .-]+):begin -->\n).*?(?P<end><!-- (?P=name):end -->)", re.DOTALL
)
sys.path += [str(BENCHMARKS), str(ROOT / "zoo")]


def load_tables():
    """Returns the tables by the first word of their name: functions that return Markdown."""
    score_tables = importlib.import_module("score_tables")
    result_tables = importlib.import_module("result_tables")
    tables = {
        "scores": score_tables.scores_table,
        "stages": score_tables.stages_table,
        "types": score_tables.types_table,
        "runs": score_tables.runs_table,
        "presets": score_tables.presets_table,
    }
    for path in sorted(BENCHMARKS.glob("*_tables.py")):
        module = importlib.import_module(path.stem)
        for name, source in getattr(module, "TABLES", {}).items():
            tables[name] = functools.partial(result_tables.result_table, *source)
    return tables


def fill_tables(text, tables):
    """Returns the text of a page with up-to-date tables.

    Args:
        text: string.
        tables: dict, name -> function of the further words of a block's name.

    Raises:
        ValueError: if a block names no table.
    """

    def fill(match):
        name, *arguments = match["name"].split()
        if name not in tables:
            raise ValueError(f"No table {name!r}. Tables: {', '.join(sorted(tables))}")
        return match["begin"] + tables[name](*arguments) + match["end"]

    return BLOCK.sub(fill, text)


def list_pages(root=ROOT):
    """Returns the paths of all pages that may have tables."""
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    return [*pages, *sorted((root / "zoo").glob("*/README.md"))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only report tables to update")
    check = parser.parse_args().check
    tables, stale = load_tables(), []
    for path in list_pages():
        old = path.read_text(encoding="utf-8")
        new = fill_tables(old, tables)
        if new == old:
            continue
        stale.append(path)
        print(path.relative_to(ROOT))
        if not check:
            with replace_file(path) as scratch:
                scratch.write_text(new, encoding="utf-8")
    sys.exit(bool(check and stale))


if __name__ == "__main__":
    main()
