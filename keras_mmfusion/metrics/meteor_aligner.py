"""METEOR 1.5's aligner: which words of a candidate match which of a reference."""

from operator import itemgetter
from typing import NamedTuple

from keras_mmfusion.metrics.snowball_stemmer import english_stem

STAGES = ("exact", "stem", "synonym", "paraphrase")
EXACT, STEM, SYNONYM, PARAPHRASE = range(len(STAGES))

_BEAM_SIZE = 40

# A path's cost is one integer that orders as METEOR does: more matches, then fewer chunks, then
# shorter distances between matched places.
_CHUNK = 1 << 32
_MATCH = 1 << 64


class Match(NamedTuple):
    """Words `start ... start + length` of the reference matched to words of the candidate."""

    start: int
    length: int
    candidate_start: int
    candidate_length: int
    stage: int


class Sentence:
    """A tokenized caption with what the aligner looks up in it.

    Args:
        words: list of strings.
        function_words: set of strings.
        phrases: list of (key, place, length) of the phrases that have paraphrases or are some.
    """

    def __init__(self, words, function_words, phrases):
        self.words = words
        self.is_function = [word in function_words for word in words]
        self.places = {}
        for place, word in enumerate(words):
            self.places.setdefault(word, []).append(place)
        self.phrases = phrases
        self.phrase_places = {}
        for key, place, length in phrases:
            self.phrase_places.setdefault(key, []).append((place, length))


class MeteorAligner:
    """Aligns sentences to one another in METEOR's stages.

    Every pair of equal words, of words with one stem, of words that share a synonym set and of
    phrases in the paraphrase table is a possible match; a beam search of width 40 goes over the
    reference from left to right and keeps the non-overlapping choice that covers most words in
    fewest chunks. Its roundings and its order among equals are METEOR's.

    Args:
        tables: a `MeteorTables`.
        sentences: list of tokenized sentences, each a list of strings; `self.sentences` has the
            `Sentence` of each. Stems, synonyms and paraphrases are looked up among their words.

    Reference:
        Denkowski and Lavie, "Meteor Universal: Language Specific Translation Evaluation for Any
        Target Language" (2014), section 2.
    """

    def __init__(self, tables, sentences):
        vocabulary = {word for words in sentences for word in words}
        self._mates = {STEM: _words_sharing(vocabulary, lambda word: (english_stem(word),))}
        if tables.has_synonyms:
            self._mates[SYNONYM] = _words_sharing(vocabulary, tables.synsets)
        self._paraphrases = {}
        phrases = [[]] * len(sentences)
        if tables.has_paraphrases:
            table = tables.paraphrases
            encoded = [table.encode(words) for words in sentences]
            self._paraphrases = table.select(encoded)
            in_table = set(self._paraphrases).union(*self._paraphrases.values())
            phrases = [
                [phrase for phrase in table.phrases(sentence) if phrase[0] in in_table]
                for sentence in encoded
            ]
        self.sentences = [
            Sentence(words, tables.function_words or (), known)
            for words, known in zip(sentences, phrases, strict=True)
        ]

    def align(self, candidate, reference):
        """The best alignment of two sentences.

        Args:
            candidate: `Sentence`.
            reference: `Sentence`.

        Returns:
            A list of `Match`, in the order of the reference's words.
        """
        matches = self._possible_matches(candidate, reference)
        certain, are_others = _certain_matches(matches, len(candidate.words))
        if not are_others:
            return [match for match in certain if match]
        return _search(matches, certain)

    def _possible_matches(self, candidate, reference):
        matches = [
            [Match(place, 1, other, 1, EXACT) for other in candidate.places.get(word, ())]
            for place, word in enumerate(reference.words)
        ]
        if candidate.words == reference.words:
            return matches
        for stage, mates in self._mates.items():
            for place, word in enumerate(reference.words):
                if word in mates:
                    shared = mates[word] & candidate.places.keys()
                    if shared:
                        others = sorted(
                            other for mate in shared for other in candidate.places[mate]
                        )
                        matches[place] += [Match(place, 1, other, 1, stage) for other in others]
        for place, length, other, other_length in self._phrase_pairs(reference, candidate):
            matches[place].append(Match(place, length, other, other_length, PARAPHRASE))
        for other, other_length, place, length in self._phrase_pairs(candidate, reference):
            matches[place].append(Match(place, length, other, other_length, PARAPHRASE))
        return matches

    def _phrase_pairs(self, sentence, other):
        for phrase, start, length in sentence.phrases:
            if phrase in self._paraphrases:
                shared = self._paraphrases[phrase] & other.phrase_places.keys()
                for target in sorted(shared):
                    for other_start, other_length in other.phrase_places[target]:
                        yield start, length, other_start, other_length


def _words_sharing(words, keys_of):
    """For each word the other words that share a key with it, where there are any."""
    words_with = {}
    for word in words:
        for key in keys_of(word):
            words_with.setdefault(key, []).append(word)
    mates = {}
    for sharing in words_with.values():
        if len(sharing) > 1:
            for word in sharing:
                mates.setdefault(word, set()).update(sharing)
    for word, others in mates.items():
        others.discard(word)
    return mates


def _certain_matches(matches, candidate_length):
    """The matches that no other one overlaps, by place, and whether there are others."""
    covers = [0] * len(matches), [0] * candidate_length
    for group in matches:
        for match in group:
            for cover, places in zip(covers, _places(match), strict=True):
                for place in places:
                    cover[place] += 1
    certain = [None] * len(matches)
    are_others = False
    for place, group in enumerate(matches):
        if len(group) == 1 and all(
            cover[covered] == 1
            for cover, places in zip(covers, _places(group[0]), strict=True)
            for covered in places
        ):
            certain[place] = group[0]
        elif group:
            are_others = True
    return certain, are_others


def _places(match):
    start, length, candidate_start, candidate_length, _ = match
    return range(start, start + length), range(candidate_start, candidate_start + candidate_length)


class _Step:
    """What taking a match does to a path of the search."""

    __slots__ = ("candidate_start", "candidate_words", "distance", "end", "gain", "match", "words")

    def __init__(self, match):
        start, length, candidate_start, candidate_length, stage = match
        self.match = match
        self.words = ((1 << length) - 1) << start
        self.candidate_words = ((1 << candidate_length) - 1) << candidate_start
        self.candidate_start = candidate_start
        self.end = candidate_start + candidate_length
        self.distance = abs(start - candidate_start)
        # METEOR counts an exact match in full and others by half, but keeps the sums of either
        # side in integers: what counts is half the number of words, rounded down.
        divisor = 1 if stage == EXACT else 2
        self.gain = (length // divisor + candidate_length // divisor) * _MATCH

    def cost(self, last_end):
        if last_end in (-1, self.candidate_start):
            return -self.gain
        return _CHUNK - self.gain


def _search(matches, certain):
    """METEOR's beam search; a path is (cost, end of the last match in the candidate, used words
    of the reference, of the candidate, place after the last match, matches as a linked list)."""
    certain = [match and _Step(match) for match in certain]
    used = sum(step.words for step in certain if step)
    candidate_used = sum(step.candidate_words for step in certain if step)
    paths = [(0, -1, used, candidate_used, 0, None)]
    cost_of = itemgetter(0)
    for place, group in enumerate(matches):
        paths.sort(key=cost_of)
        bit = 1 << place
        step = certain[place]
        steps = [_Step(match) for match in group]
        extended = []
        for path in paths[:_BEAM_SIZE]:
            cost, last_end, used, candidate_used, after, chosen = path
            if used & bit:
                if place >= after:
                    cost += step.cost(last_end) + step.distance
                    after = place + step.match.length
                    path = (cost, step.end, used, candidate_used, after, chosen)
                extended.append(path)
                continue
            for step_taken in steps:
                words, candidate_words = step_taken.words, step_taken.candidate_words
                if used & words or candidate_used & candidate_words:
                    continue
                extended.append(
                    (
                        cost + step_taken.cost(last_end),
                        step_taken.end,
                        used | words,
                        candidate_used | candidate_words,
                        place + step_taken.match.length,
                        (step_taken.match, chosen),
                    )
                )
                # METEOR adds a match's distance to the paths that do not take it.
                cost += step_taken.distance
            if last_end != -1:
                cost += _CHUNK
            extended.append((cost, -1, used, candidate_used, after, chosen))
        paths = extended
    paths.sort(key=cost_of)
    best = min(paths[:_BEAM_SIZE], key=lambda path: path[0] + (path[1] != -1) * _CHUNK)
    alignment = [step.match for step in certain if step]
    chosen = best[-1]
    while chosen:
        match, chosen = chosen
        alignment.append(match)
    return sorted(alignment)
