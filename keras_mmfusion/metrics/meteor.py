"""METEOR 1.5 without Java."""

from keras_mmfusion.metrics.caption_inputs import check_captions
from keras_mmfusion.metrics.meteor_aligner import STAGES, MeteorAligner
from keras_mmfusion.metrics.meteor_normalizer import normalize
from keras_mmfusion.metrics.meteor_tables import REMEDY, MeteorTables, installed_tables

_ALPHA, _BETA, _GAMMA, _DELTA = 0.85, 0.2, 0.6, 0.75
_STAGE_WEIGHTS = (1.0, 0.6, 0.8, 0.6)


class Meteor:
    """METEOR 1.5 for English: the numbers of pycocoevalcap's `Meteor`, without Java.

    `METEOR = (1 - γ (chunks / matches)^β) · P R / (α P + (1 - α) R)`, where precision `P` and
    recall `R` are the shares of the candidate's and of the reference's words that are matched,
    an equal word counting 1, an equal stem 0.6, a synonym 0.8 and a paraphrase 0.6, a content
    word `δ` and a function word `1 - δ`; `α = 0.85, β = 0.2, γ = 0.6, δ = 0.75`. A caption's
    score is that with its best reference; the corpus score is the formula on the summed counts.

    Texts are normalized as METEOR's `-norm` does before they are compared.

    Args:
        tables: folder with METEOR's `meteor-1.5.jar` and `data/paraphrase-en.gz`. `None` takes
            that of the installed pycocoevalcap package. The jar is read, never run. If a folder
            is given that lacks a table, its stage is left out and `variant` does not list it:
            such scores may be higher or lower than METEOR 1.5's and are not comparable with them.

    Attributes:
        variant: string, the version and the stages in use, such as
            `"meteor-1.5 (exact stem synonym paraphrase)"`.

    Raises:
        ValueError: if `tables` is `None` and pycocoevalcap is not installed, if it is no folder,
            or if it holds files that are not METEOR's.

    Example:

    `Meteor()` is METEOR 1.5. With a folder that lacks tables it is another metric, and says so:

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
            tables = installed_tables()
            if tables is None:
                raise ValueError(f"{REMEDY} Or name a folder that holds them as `tables`.")
        self._tables = MeteorTables(tables)
        stages = [
            stage
            for stage, present in zip(
                STAGES,
                (True, True, self._tables.has_synonyms, self._tables.has_paraphrases),
                strict=True,
            )
            if present
        ]
        self.variant = f"meteor-1.5 ({' '.join(stages)})"
        if self._tables.function_words is None:
            self.variant = self.variant.replace(")", "; no function words)")

    def score(self, references, candidates):
        """Scores one caption an image.

        Args:
            references: dict of image id -> list of strings.
            candidates: dict of image id -> string.

        Returns:
            A tuple `(corpus score, dict of image id -> score)`, floats in [0, 1].

        Raises:
            TypeError: if captions are no strings or the arguments no dicts.
            ValueError: if an image is in one of the two only, or has no reference.
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
                counts = _Counts.of(candidate, reference, aligner.align(candidate, reference))
                score = counts.score()
                if score > best_score:
                    best_score, best = score, counts
            scores[image_id] = best_score
            total.add(best)
        return total.score(), scores


class _Counts:
    """What METEOR sums over a corpus: [candidate, reference] by content and function words."""

    def __init__(self):
        self.words = ([0, 0], [0, 0])
        self.matches = tuple(([0] * len(STAGES), [0] * len(STAGES)) for _ in range(2))
        self.chunks = 0

    @classmethod
    def of(cls, candidate, reference, alignment):
        counts = cls()
        for words, sentence in zip(counts.words, (candidate, reference), strict=True):
            words[1] = sum(sentence.is_function)
            words[0] = len(sentence.words) - words[1]
        in_candidate, in_reference = counts.matches
        end = candidate_end = -1
        for match in alignment:
            start, length, candidate_start, candidate_length, stage = match
            for place in range(candidate_start, candidate_start + candidate_length):
                in_candidate[candidate.is_function[place]][stage] += 1
            for place in range(start, start + length):
                in_reference[reference.is_function[place]][stage] += 1
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
        # METEOR counts no fragmentation for a caption that is matched whole.
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
                    f"METEOR takes strings; `{name}` has {caption!r} for image id {image_id!r}."
                )
