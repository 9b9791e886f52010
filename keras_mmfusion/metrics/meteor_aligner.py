"""METEOR 1.5's aligner: which words of a candidate match which of a reference."""

from operator import itemgetter
from typing import NamedTuple

from keras_mmfusion.metrics.snowball_stemmer import english_stem

STAGES = ("exact", "stem", "synonym", "paraphrase")
EXACT, STEM, SYNONYM, PARAPHRASE = range(len(STAGES))

_BEAM_SIZE = 40
_LONGEST_PHRASE = 7

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

    @property
    def gain(self):
        # METEOR's search counts an exact match in full and others by half, but keeps the sum in
        # an integer: what counts is half the number of words, rounded down.
        if self.stage == EXACT:
            return (self.length + self.candidate_length) * _MATCH
        return (self.length // 2 + self.candidate_length // 2) * _MATCH

    @property
    def reference_words(self):
        return ((1 << self.length) - 1) << self.start

    @property
    def candidate_words(self):
        return ((1 << self.candidate_length) - 1) << self.candidate_start


class Sentence:
    """A tokenized caption with what the aligner looks up in it."""

    def __init__(self, words, function_words, known_phrases):
        self.words = words
        self.is_function = [word in function_words for word in words]
        self.places = _places(words)
        self.phrases = []
        if known_phrases:
            for start in range(len(words)):
                for stop in range(start + 1, min(start + _LONGEST_PHRASE, len(words)) + 1):
                    phrase = " ".join(words[start:stop])
                    if phrase in known_phrases:
                        self.phrases.append((phrase, start, stop - start))
        self.phrase_places = {}
        for phrase, start, length in self.phrases:
            self.phrase_places.setdefault(phrase, []).append((start, length))


class MeteorAligner:
    """Aligns candidates to references in METEOR's stages.

    Every pair of equal words, of words with one stem, of words that share a synonym set and of
    phrases in the paraphrase table is a possible match; a beam search of width 40 goes over the
    reference from left to right and keeps the non-overlapping choice that covers most words in
    fewest chunks. Its roundings and its order among equals are METEOR's.

    Args:
        tables: a `MeteorTables`.

    Reference:
        Denkowski and Lavie, "Meteor Universal: Language Specific Translation Evaluation for Any
        Target Language" (2014), section 2.
    """

    def __init__(self, tables):
        self._tables = tables
        self._vocabulary = set()
        self._mates = {}
        self._paraphrases = {}
        self._known_phrases = frozenset()

    def prepare(self, words):
        """Looks up stems, synonyms and paraphrases among the words that sentences will have.

        Args:
            words: set of strings.
        """
        if words <= self._vocabulary:
            return
        self._vocabulary |= words
        self._mates = {STEM: self._words_sharing(lambda word: (english_stem(word),))}
        if self._tables.has_synonyms:
            self._mates[SYNONYM] = self._words_sharing(self._tables.synsets)
        if self._tables.paraphrases:
            self._paraphrases = self._tables.paraphrases.select(self._vocabulary)
            self._known_phrases = set(self._paraphrases).union(*self._paraphrases.values())

    def _words_sharing(self, keys_of):
        """For each word the other words that share a key with it, where there are any."""
        words_with = {}
        for word in self._vocabulary:
            for key in keys_of(word):
                words_with.setdefault(key, set()).add(word)
        mates = {}
        for words in words_with.values():
            if len(words) > 1:
                for word in words:
                    mates.setdefault(word, set()).update(words)
        for word, others in mates.items():
            others.discard(word)
        return mates

    def sentence(self, words):
        """Indexes a tokenized caption; `prepare` must have seen its words."""
        return Sentence(words, self._tables.function_words or (), self._known_phrases)

    def align(self, candidate, reference):
        """The best alignment of two sentences.

        Args:
            candidate: `Sentence`.
            reference: `Sentence`.

        Returns:
            A list of `Match`, in the order of the reference's words.
        """
        matches = self._possible_matches(candidate, reference)
        certain, open_places = _certain_matches(matches, len(candidate.words))
        if not open_places:
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


def _places(words):
    places = {}
    for place, word in enumerate(words):
        places.setdefault(word, []).append(place)
    return places


def _certain_matches(matches, candidate_length):
    """The matches that no other one overlaps, and whether others are left to choose from."""
    reference_cover = [0] * len(matches)
    candidate_cover = [0] * candidate_length
    for group in matches:
        for match in group:
            for place in range(match.start, match.start + match.length):
                reference_cover[place] += 1
            for place in range(
                match.candidate_start, match.candidate_start + match.candidate_length
            ):
                candidate_cover[place] += 1
    certain = [None] * len(matches)
    left = False
    for group in matches:
        if not group:
            continue
        match = group[0]
        if (
            len(group) == 1
            and set(reference_cover[match.start : match.start + match.length]) == {1}
            and set(
                candidate_cover[
                    match.candidate_start : match.candidate_start + match.candidate_length
                ]
            )
            == {1}
        ):
            certain[match.start] = match
        else:
            left = True
    return certain, left


def _search(matches, certain):
    """METEOR's beam search; a path is (cost, next place, end of the last match in the candidate,
    used reference words, used candidate words, chosen matches as a linked list)."""
    reference_used = candidate_used = 0
    for match in certain:
        if match:
            reference_used |= match.reference_words
            candidate_used |= match.candidate_words
    paths = [(0, 0, -1, reference_used, candidate_used, None)]
    cost_of = itemgetter(0)
    for place, group in enumerate(matches):
        paths.sort(key=cost_of)
        extended = []
        for path in paths[:_BEAM_SIZE]:
            cost, following, last_end, reference_used, candidate_used, chosen = path
            if reference_used >> place & 1:
                if place >= following:
                    match = certain[place]
                    cost += _step_cost(match, last_end) + abs(place - match.candidate_start)
                    following = place + match.length
                    last_end = match.candidate_start + match.candidate_length
                    path = (cost, following, last_end, reference_used, candidate_used, chosen)
                extended.append(path)
                continue
            for match in group:
                words = match.reference_words
                candidate_words = match.candidate_words
                if reference_used & words or candidate_used & candidate_words:
                    continue
                extended.append(
                    (
                        cost + _step_cost(match, last_end),
                        place + match.length,
                        match.candidate_start + match.candidate_length,
                        reference_used | words,
                        candidate_used | candidate_words,
                        (match, chosen),
                    )
                )
                # METEOR adds a match's distance to the paths that do not take it.
                cost += abs(place - match.candidate_start)
            if last_end != -1:
                cost += _CHUNK
            extended.append((cost, following + 1, -1, reference_used, candidate_used, chosen))
        paths = extended
    paths.sort(key=cost_of)
    best = min(paths[:_BEAM_SIZE], key=lambda path: path[0] + (path[2] != -1) * _CHUNK)
    alignment = [match for match in certain if match]
    chosen = best[-1]
    while chosen:
        match, chosen = chosen
        alignment.append(match)
    return sorted(alignment)


def _step_cost(match, last_end):
    chunk = _CHUNK if last_end not in (-1, match.candidate_start) else 0
    return chunk - match.gain
