"""METEOR 1.5 in Python."""

from keras_mmfusion.metrics.captions.caption_inputs import check_captions
from keras_mmfusion.metrics.meteor.meteor_aligner import STAGES, MeteorAligner
from keras_mmfusion.metrics.meteor.meteor_normalizer import normalize
from keras_mmfusion.metrics.meteor.meteor_tables import REMEDY, MeteorTables, find_installed_tables

_ALPHA, _BETA, _GAMMA, _DELTA = 0.85, 0.2, 0.6, 0.75
_STAGE_WEIGHTS = (1.0, 0.6, 0.8, 0.6)


class Meteor:
    """Computes METEOR 1.5 for English, with the scores of pycocoevalcap's `Meteor`, without Java.

    `METEOR = (1 - γ (chunks / matches)^β) · P R / (α P + (1 - α) R)`, where precision `P` and
    recall `R` are the shares of matched words in the candidate and the reference. Equal words
    have weight 1, equal stems 0.6, synonyms 0.8 and paraphrases 0.6; content words have weight
    `δ` and function words `1 - δ`; `α = 0.85, β = 0.2, γ = 0.6, δ = 0.75`. A caption's score is
    the best one over its references; the corpus score applies the formula to summed counts.

    Texts are normalized first, as with METEOR's `-norm`.

    Args:
        tables: folder with METEOR's `meteor-1.5.jar` and `data/paraphrase-en.gz`. `None` selects
            that of the installed pycocoevalcap package. The jar is read, not executed. If the
            folder lacks a table, its stage is omitted and not listed in `variant`; the scores may
            be higher or lower than those of METEOR 1.5 and are not comparable with them.

    Attributes:
        variant: string, the version and the stages, such as
            `"meteor-1.5 (exact stem synonym paraphrase)"`.

    Raises:
        ValueError: if `tables` is `None` and pycocoevalcap is not installed, if it is not a
            folder, or if its files are not METEOR's.

    Example:

    `Meteor()` is METEOR 1.5. Without its tables it is another metric with another `variant`:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as no_tables:
    ...     meteor = Meteor(no_tables)
    >>> meteor.variant
    'meteor-1.5 (exact stem; no function words)'
    >>> references = {1: ["a dog runs on grass", "the dog is running"]}
    >>> score, scores = meteor.score(references, {1: "the dog runs"})
    >>> round(scores[1], 4)
    0.3017

    Reference:
        Denkowski and Lavie, "Meteor Universal: Language Specific Translation Evaluation for Any
        Target Language" (2014), sections 2 and 3.
    """

    def __init__(self, tables=None):
        if tables is None:
            tables = find_installed_tables()
            if tables is None:
                raise ValueError(f"{REMEDY} Or pass a folder with the tables as `tables`.")
        self._tables = MeteorTables(tables)
        stages = [
            stage
            for stage, is_available in zip(
                STAGES,
                (True, True, self._tables.has_synonyms, self._tables.has_paraphrases),
                strict=True,
            )
            if is_available
        ]
        self.variant = f"meteor-1.5 ({' '.join(stages)})"
        if self._tables.function_words is None:
            self.variant = self.variant.replace(")", "; no function words)")

    def score(self, references, candidates):
        """Scores one caption per image.

        Args:
            references: dict of image id -> list of strings.
            candidates: dict of image id -> string.

        Returns:
            A tuple `(corpus score, dict of image id -> score)`, floats in [0, 1].

        Raises:
            TypeError: if a caption is not a string, or an argument is not a dict.
            ValueError: if an image is in only one of the two, or has no reference.
        """
        check_captions(references, candidates)
        _check_strings(references, candidates)
        texts = dict.fromkeys(
            caption
            for image_id, captions in references.items()
            for caption in (*captions, candidates[image_id])
        )
        aligner = MeteorAligner(
            self._tables, [normalize(text, self._tables.prefixes) for text in texts]
        )
        sentences = dict(zip(texts, aligner.sentences, strict=True))

        total = _Counts()
        scores = {}
        for image_id, captions in references.items():
            candidate = sentences[candidates[image_id]]
            best_score = -1.0
            for caption in captions:
                reference = sentences[caption]
                alignment = aligner.align(candidate, reference)
                counts = _Counts.from_alignment(candidate, reference, alignment)
                score = counts.score()
                if score > best_score:
                    best_score, best = score, counts
            scores[image_id] = best_score
            total.add(best)
        return total.score(), scores


class _Counts:
    """Counts that METEOR sums over a corpus: [candidate, reference], content and function words."""

    def __init__(self):
        self.words = ([0, 0], [0, 0])
        self.matches = tuple(([0] * len(STAGES), [0] * len(STAGES)) for _ in range(2))
        self.chunks = 0

    @classmethod
    def from_alignment(cls, candidate, reference, alignment):
        counts = cls()
        for words, sentence in zip(counts.words, (candidate, reference), strict=True):
            words[1] = sum(sentence.is_function)
            words[0] = len(sentence.words) - words[1]
        in_candidate, in_reference = counts.matches
        end = candidate_end = -1
        for match in alignment:
            start, length, candidate_start, candidate_length, stage = match
            for position in range(candidate_start, candidate_start + candidate_length):
                in_candidate[candidate.is_function[position]][stage] += 1
            for position in range(start, start + length):
                in_reference[reference.is_function[position]][stage] += 1
            if start != end or candidate_start != candidate_end:
                counts.chunks += 1
            end, candidate_end = start + length, candidate_start + candidate_length
        return counts

    @property
    def is_perfect(self):
        return self.chunks == 1 and all(
            sum(words) == sum(map(sum, matches))
            for words, matches in zip(self.words, self.matches, strict=True)
        )

    def add(self, other):
        # METEOR does not count fragmentation for completely matched captions.
        if not other.is_perfect:
            self.chunks += other.chunks
        for side in range(2):
            for kind in range(2):
                self.words[side][kind] += other.words[side][kind]
                for stage, number in enumerate(other.matches[side][kind]):
                    self.matches[side][kind][stage] += number

    def score(self):
        matched = sum(sum(map(sum, matches)) for matches in self.matches) / 2
        if not matched:
            return 0.0
        precision, recall = (
            sum(
                number * weight * kind_weight
                for kind_weight, numbers in zip((_DELTA, 1 - _DELTA), matches, strict=True)
                for number, weight in zip(numbers, _STAGE_WEIGHTS, strict=True)
            )
            / (_DELTA * words[0] + (1 - _DELTA) * words[1])
            for words, matches in zip(self.words, self.matches, strict=True)
        )
        mean = 1 / ((1 - _ALPHA) / precision + _ALPHA / recall)
        fragmentation = 0.0 if self.is_perfect else self.chunks / matched
        return mean * (1 - _GAMMA * fragmentation**_BETA)


def _check_strings(references, candidates):
    for image_id, captions in references.items():
        for name, caption in (
            *(("references", caption) for caption in captions),
            ("candidates", candidates[image_id]),
        ):
            if not isinstance(caption, str):
                raise TypeError(
                    f"`{name}` must have strings; it has {caption!r} for image id {image_id!r}."
                )
