"""Writes tests/data/hostile_captions.tokens.txt: the tokens of CoreNLP 3.4.1's Java tokenizer.

Tokenizes tests/data/hostile_captions.txt. Needs Java and the package pycocoevalcap with the jar.

    python tests/metrics/write_hostile_tokens.py
"""

import importlib.util
import os
import pathlib
import subprocess
import tempfile

DATA = pathlib.Path(__file__).parent.parent / "data"


def tokenize_with_java(lines):
    """Tokenizes lines with coco-caption's options and keeps the punctuation."""
    package = importlib.util.find_spec("pycocoevalcap").submodule_search_locations[0]
    jar = pathlib.Path(package) / "tokenizer" / "stanford-corenlp-3.4.1.jar"
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder) / "captions.txt"
        text.write_text("\n".join(lines), encoding="utf-8")
        command = ["java", "-cp", jar, "edu.stanford.nlp.process.PTBTokenizer"]
        result = subprocess.run(
            [*command, "-preserveLines", "-lowerCase", text],
            check=True,
            capture_output=True,
            timeout=300,
        )
    return result.stdout.decode("utf-8").split("\n")


def main():
    lines = (DATA / "hostile_captions.txt").read_text(encoding="utf-8").split("\n")[:-1]
    target = DATA / "hostile_captions.tokens.txt"
    temporary = target.with_suffix(".part")
    temporary.write_text("\n".join(tokenize_with_java(lines)) + "\n", encoding="utf-8")
    os.replace(temporary, target)


if __name__ == "__main__":
    main()
