"""Aligns the words of a candidate and a reference, as METEOR 1.5 does."""

from operator import itemgetter
from typing import NamedTuple

from keras_mmfusion.metrics.meteor.snowball_stemmer import stem_english

STAGES = ("exact", "stem", "synonym", "paraphrase")
EXACT, STEM, SYNONYM, PARAPHRASE = range(len(STAGES))

_BEAM_SIZE = 40

# The cost of a path is one integer with METEOR's order: more matches, then fewer chunks, then
# shorter distances between matched positions.
_CHUNK = 1 << 32
_MATCH = 1 << 64


class Match(NamedTuple):
    """A match of `length` words of the reference, from `start`, with words of the candidate."""

    start: int
    length: int
    candidate_start: int
    candidate_length: int
    stage: int


class Sentence:
    """A tokenized caption with lookup tables for the aligner.

    Args:
        words: list of strings.
        function_words: set of strings.
        phrases: list of (key, position, length) of the phrases in the paraphrase table.
    """

    def __init__(self, words, function_words, phrases):
        self.words = words
        self.is_function = [word in function_words for word in words]
        self.positions = {}
        for position, word in enumerate(words):
            self.positions.setdefault(word, []).append(position)
        self.phrases = phrases
        self.phrase_positions = {}
        for key, position, length in phrases:
            self.phrase_positions.setdefault(key, []).append((position, length))


class MeteorAligner:
    """Aligns pairs of sentences in METEOR's stages.

    Possible matches are equal words, words with the same stem, words with a common synonym set
    and phrases in the paraphrase table. A beam search of width 40 over the reference, from left
    to right, selects non-overlapping matches that cover the most words in the fewest chunks.
    Rounding and the order of ties follow METEOR.

    Args:
        tables: a `MeteorTables`.
        sentences: list of tokenized sentences, each a list of strings. Stems, synonyms and
            paraphrases are looked up for their words.

    Attributes:
        sentences: list with a `Sentence` for each tokenized sentence.

    Reference:
        Denkowski and Lavie, "Meteor Universal: Language Specific Translation Evaluation for Any
        Target Language" (2014), section 2.
    """

    def __init__(self, tables, sentences):
        vocabulary = {word for words in sentences for word in words}
        self._related = {STEM: _relate_words(vocabulary, lambda word: (stem_english(word),))}
        if tables.has_synonyms:
            self._related[SYNONYM] = _relate_words(vocabulary, tables.find_synsets)
        self._paraphrases = {}
        phrases = [[]] * len(sentences)
        if tables.has_paraphrases:
            table = tables.paraphrases
            encoded = [table.encode(words) for words in sentences]
            self._paraphrases = table.select(encoded)
            in_table = set(self._paraphrases).union(*self._paraphrases.values())
            phrases = [
                [phrase for phrase in table.find_phrases(sentence) if phrase[0] in in_table]
                for sentence in encoded
            ]
        self.sentences = [
            Sentence(words, tables.function_words or (), in_sentence)
            for words, in_sentence in zip(sentences, phrases, strict=True)
        ]

    def align(self, candidate, reference):
        """Finds the best alignment of two sentences.

        Args:
            candidate: `Sentence`.
            reference: `Sentence`.

        Returns:
            A list of `Match`, in the order of the words in the reference.
        """
        matches = self._find_matches(candidate, reference)
        unambiguous, has_others = _find_unambiguous(matches, len(candidate.words))
        if not has_others:
            return [match for match in unambiguous if match]
        return _search(matches, unambiguous)

    def _find_matches(self, candidate, reference):
        matches = [
            [Match(position, 1, other, 1, EXACT) for other in candidate.positions.get(word, ())]
            for position, word in enumerate(reference.words)
        ]
        if candidate.words == reference.words:
            return matches
        for stage, related in self._related.items():
            for start, word in enumerate(reference.words):
                if word in related:
                    shared = related[word] & candidate.positions.keys()
                    others = sorted(
                        other for equivalent in shared for other in candidate.positions[equivalent]
                    )
                    matches[start] += [Match(start, 1, other, 1, stage) for other in others]
        for start, length, other, other_length in self._find_paraphrases(reference, candidate):
            matches[start].append(Match(start, length, other, other_length, PARAPHRASE))
        for other, other_length, start, length in self._find_paraphrases(candidate, reference):
            matches[start].append(Match(start, length, other, other_length, PARAPHRASE))
        return matches

    def _find_paraphrases(self, sentence, other):
        for phrase, start, length in sentence.phrases:
            if phrase in self._paraphrases:
                shared = self._paraphrases[phrase] & other.phrase_positions.keys()
                for target in sorted(shared):
                    for other_start, other_length in other.phrase_positions[target]:
                        yield start, length, other_start, other_length


def _relate_words(words, get_keys):
    """Returns a dict of word -> other words with a common key, for words that have any."""
    words_by_key = {}
    for word in words:
        for key in get_keys(word):
            words_by_key.setdefault(key, []).append(word)
    related = {}
    for group in words_by_key.values():
        if len(group) > 1:
            for word in group:
                related.setdefault(word, set()).update(group)
    for word, others in related.items():
        others.discard(word)
    return related


def _find_unambiguous(matches, candidate_length):
    """Returns the match at each position that overlaps no other, and whether there are others."""
    counts = [0] * len(matches), [0] * candidate_length
    for group in matches:
        for match in group:
            for count, positions in zip(counts, _get_spans(match), strict=True):
                for position in positions:
                    count[position] += 1
    unambiguous = [None] * len(matches)
    has_others = False
    for start, group in enumerate(matches):
        if len(group) == 1 and all(
            count[position] == 1
            for count, positions in zip(counts, _get_spans(group[0]), strict=True)
            for position in positions
        ):
            unambiguous[start] = group[0]
        elif group:
            has_others = True
    return unambiguous, has_others


def _get_spans(match):
    start, length, candidate_start, candidate_length, _ = match
    return range(start, start + length), range(candidate_start, candidate_start + candidate_length)


class _Step:
    """The extension of a search path by a match."""

    __slots__ = ("candidate_start", "candidate_words", "distance", "end", "gain", "match", "words")

    def __init__(self, match):
        start, length, candidate_start, candidate_length, stage = match
        self.match = match
        self.words = ((1 << length) - 1) << start
        self.candidate_words = ((1 << candidate_length) - 1) << candidate_start
        self.candidate_start = candidate_start
        self.end = candidate_start + candidate_length
        self.distance = abs(start - candidate_start)
        # METEOR counts exact matches in full and others by half, in integers: half the number of
        # words, rounded down.
        divisor = 1 if stage == EXACT else 2
        self.gain = (length // divisor + candidate_length // divisor) * _MATCH

    def cost(self, last_end):
        if last_end in (-1, self.candidate_start):
            return -self.gain
        return _CHUNK - self.gain


def _search(matches, unambiguous):
    """Runs METEOR's beam search over the words of the reference.

    A path is a tuple: cost, end of the last match in the candidate, bit masks of the used words
    of the reference and of the candidate, position after the last match, matches (linked list).
    """
    fixed = [match and _Step(match) for match in unambiguous]
    used = sum(step.words for step in fixed if step)
    candidate_used = sum(step.candidate_words for step in fixed if step)
    paths = [(0, -1, used, candidate_used, 0, None)]
    get_cost = itemgetter(0)
    for position, group in enumerate(matches):
        paths.sort(key=get_cost)
        bit = 1 << position
        fixed_step = fixed[position]
        steps = [_Step(match) for match in group]
        extended = []
        for path in paths[:_BEAM_SIZE]:
            cost, last_end, used, candidate_used, after, chosen = path
            if used & bit:
                if position >= after:
                    cost += fixed_step.cost(last_end) + fixed_step.distance
                    after = position + fixed_step.match.length
                    path = (cost, fixed_step.end, used, candidate_used, after, chosen)
                extended.append(path)
                continue
            for step in steps:
                if used & step.words or candidate_used & step.candidate_words:
                    continue
                extended.append(
                    (
                        cost + step.cost(last_end),
                        step.end,
                        used | step.words,
                        candidate_used | step.candidate_words,
                        position + step.match.length,
                        (step.match, chosen),
                    )
                )
                # METEOR adds a match's distance to the paths without the match.
                cost += step.distance
            if last_end != -1:
                cost += _CHUNK
            extended.append((cost, -1, used, candidate_used, after, chosen))
        paths = extended
    paths.sort(key=get_cost)
    best = min(paths[:_BEAM_SIZE], key=lambda path: path[0] + (path[1] != -1) * _CHUNK)
    alignment = [step.match for step in fixed if step]
    chosen = best[-1]
    while chosen:
        match, chosen = chosen
        alignment.append(match)
    return sorted(alignment)
