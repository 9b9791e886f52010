"""Code, documentation and tests use American spelling and the standard terms of the field."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Word -> what to write instead. Matched as whole words, of either case, also inside identifiers.
BANNED = {
    "artefact": "artifact",
    "behaviour": "behavior",
    "catalogue": "catalog",
    "centre": "center",
    "colour": "color",
    "favourite": "favorite",
    "grey": "gray",
    "licence": "license",
    "neighbour": "neighbor",
    "foretell": "predict",
    "foretells": "predicts",
    "foretold": "predicted",
    "places": "indices, or positions",
    "rarity": "idf",
    "never drawn": "suppressed token ids",
    "strangers": "negatives",
    "typed graph": "heterogeneous graph",
    "typed graphs": "heterogeneous graphs",
    "the house": "the package",
}
# This file itself.
EXCEPT = {"tests/test_language.py"}
PATTERN = re.compile(
    r"(?<![^\W_])(" + "|".join(word.replace(" ", r"[\s_]+") for word in BANNED) + r")(?![^\W_])",
    re.IGNORECASE,
)
FOLDERS = ("benchmarks", "docs", "examples", "gpu", "keras_mmfusion", "notebooks", "tests", "zoo")
SUFFIXES = {".md", ".py", ".sh", ".ipynb"}


def text_files():
    paths = [*ROOT.glob("*.md"), *ROOT.glob("*.py")]
    for folder in FOLDERS:
        paths += (ROOT / folder).rglob("*")
    names = {path: path.relative_to(ROOT).as_posix() for path in paths if path.suffix in SUFFIXES}
    # `benchmarks/.venv*` are environments of peers.
    return sorted(path for path, name in names.items() if name not in EXCEPT and "/." not in name)


def find_banned_words(text):
    """Returns the banned words of a text.

    Example:

    >>> find_banned_words("The colour of two_places, replaces nothing.")
    ['colour', 'places']
    """
    return [re.sub(r"[\s_]+", " ", match[1].lower()) for match in PATTERN.finditer(text)]


def test_find_banned_words_matches_words_and_parts_of_identifiers():
    text = "Colour, first_places, replaces, never_drawn and typed\ngraphs"
    assert find_banned_words(text) == ["colour", "places", "never drawn", "typed graphs"]


@pytest.mark.parametrize("path", text_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_file_has_no_banned_words(path):
    found = set(find_banned_words(path.read_text(encoding="utf-8")))
    assert not found, {word: f"write {BANNED[word]}" for word in found}
