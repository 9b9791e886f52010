"""Reads the word lists and tables of METEOR 1.5 from the package pycocoevalcap."""

import functools
import importlib.util
import zipfile
from pathlib import Path

from keras_mmfusion.metrics.meteor.meteor_normalizer import ALWAYS, BEFORE_NUMBER
from keras_mmfusion.metrics.meteor.paraphrase_table import ParaphraseTable

JAR = "meteor-1.5.jar"
PARAPHRASES = "data/paraphrase-en.gz"
REMEDY = (
    "METEOR 1.5 needs the tables in the package pycocoevalcap (100 MB): pip install pycocoevalcap."
)
# WordNet's rules for base forms: an ending and its replacement.
_ENDINGS = (
    *(("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z")),
    *(("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y")),
    *(("s", ""), ("ies", "y"), ("es", "e"), ("es", "")),
    *(("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    *(("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
)


def find_installed_tables():
    """Finds METEOR's tables in the installed package pycocoevalcap, without reading them.

    Returns:
        A path for `MeteorTables`, or `None` if the package or one of the tables is missing.
    """
    package = importlib.util.find_spec("pycocoevalcap")
    if package is None:
        return None
    folder = Path(package.submodule_search_locations[0]) / "meteor"
    return folder if all((folder / name).is_file() for name in (JAR, PARAPHRASES)) else None


class MeteorTables:
    """Function words, abbreviations, synonyms and paraphrases of METEOR 1.5 for English.

    Args:
        folder: folder with `meteor-1.5.jar` (function words, abbreviations and WordNet's synonym
            sets, read as a zip file) and `data/paraphrase-en.gz`. Either file may be missing.

    Attributes:
        function_words: frozenset of strings, or `None`.
        prefixes: dict of abbreviation -> when it keeps its period.
        has_synonyms: whether the synonym sets were found.
        has_paraphrases: whether the paraphrase table was found.
        paraphrases: the `ParaphraseTable`, read on first access.

    Raises:
        ValueError: if `folder` does not exist or its jar is not METEOR's.
    """

    def __init__(self, folder):
        self.function_words = None
        self.prefixes = {}
        self._paraphrases_path = None
        self._synsets = None
        self._bases = {}
        if not Path(folder).is_dir():
            raise ValueError(
                f"`tables` must be a folder with meteor-1.5.jar, or `None` for that of the "
                f"installed package pycocoevalcap. Received: {str(folder)!r}"
            )
        jar = Path(folder) / JAR
        if jar.is_file():
            self._read_jar(jar)
        paraphrases = Path(folder) / PARAPHRASES
        if paraphrases.is_file():
            self._paraphrases_path = paraphrases

    @property
    def has_synonyms(self):
        return self._synsets is not None

    @property
    def has_paraphrases(self):
        return self._paraphrases_path is not None

    @functools.cached_property
    def paraphrases(self):
        return ParaphraseTable(self._paraphrases_path)

    def find_synsets(self, word):
        """Returns the numbers of the WordNet synonym sets of a word and its base forms.

        Args:
            word: string, lower-case.

        Returns:
            A set of strings.
        """
        bases = self._bases.get(word)
        if bases is None:
            bases = [self._find_base_form(word)]
        return {number for form in (word, *bases) for number in self._synsets.get(form, "").split()}

    def _find_base_form(self, word):
        if len(word) <= 2 or word.endswith("ss"):
            return word
        for ending, replacement in _ENDINGS:
            if word.endswith(ending):
                base = word.removesuffix(ending) + replacement
                if base in self._synsets:
                    return base
        return ""

    def _read_jar(self, path):
        try:
            with zipfile.ZipFile(path) as jar:

                def read_lines(name):
                    return jar.read(name).decode().splitlines()

                self.function_words = frozenset(read_lines("function/english.words"))
                for line in read_lines("nonbreaking/english.prefixes"):
                    if line.strip() and not line.startswith("#"):
                        prefix, *condition = line.split()
                        self.prefixes[prefix] = BEFORE_NUMBER if condition else ALWAYS
                for base, forms in _pair_lines(read_lines("synonym/english.exceptions")):
                    for form in forms.split():
                        self._bases.setdefault(form, []).append(base)
                self._synsets = dict(_pair_lines(read_lines("synonym/english.synsets")))
        except (OSError, KeyError, UnicodeDecodeError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} is not the jar of METEOR 1.5 ({error}).") from error


def _pair_lines(lines):
    return zip(lines[::2], lines[1::2], strict=True)
