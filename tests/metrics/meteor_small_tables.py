"""Small METEOR tables in the published formats, for tests without the published tables."""

import gzip
import zipfile

FUNCTION_WORDS = ["the", "a", "of", "is", "in", "with", "'s", ".", "on", "to", '"']
PREFIXES = ["# abbreviations", "Mr", "v", "vs", "No #NUMERIC_ONLY#"]
# Pairs of lines: a word and the numbers of its synonym sets; a base form and its irregular forms.
SYNSETS = ["boy", "101 102", "child", "101 103", "dog", "201", "hound", "201 202", "leap"]
SYNSETS += ["301", "jump", "301 302", "woman", "401", "lady", "401", "glass", "501", "box", "601"]
SYNSETS += ["crate", "601", "party", "701", "company", "701", "big", "801", "large", "801"]
EXCEPTIONS = ["child", "children", "woman", "women", "leap", "leapt leaped"]
PARAPHRASES = [
    ("a group of", "many"),
    ("a group of", "several"),
    ("dog", "the dog"),
    ("in front of", "before"),
    ("in front of", "facing"),
    ("is jumping", "jumps"),
    ("jumps", "is jumping"),
    ("large", "big"),
    ("large", "very big"),
    ("next to", "beside"),
    ("next to", "by"),
    ("several people", "a group of people"),
    ("the dog", "dog"),
    ("the dog", "it"),
    ("two", "a pair of"),
    ("young boy", "little boy"),
]


def write_tables(folder):
    """Writes the tables for `Meteor(folder)`, and as single files for METEOR's jar."""
    texts = {
        "function/english.words": FUNCTION_WORDS,
        "nonbreaking/english.prefixes": PREFIXES,
        "synonym/english.synsets": SYNSETS,
        "synonym/english.exceptions": EXCEPTIONS,
    }
    with zipfile.ZipFile(folder / "meteor-1.5.jar", "w") as jar:
        for name, lines in texts.items():
            text = "".join(f"{line}\n" for line in lines)
            jar.writestr(name, text)
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    (folder / "data").mkdir()
    with gzip.open(folder / "data" / "paraphrase-en.gz", "wt", encoding="utf-8") as file:
        file.writelines(f"0.1\n{phrase}\n{other}\n" for phrase, other in PARAPHRASES)
