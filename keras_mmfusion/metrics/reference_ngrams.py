"""N-grams of reference captions as integers, ready to be looked up for many candidates at once."""

from typing import NamedTuple

import numpy as np

from keras_mmfusion.metrics.caption_inputs import split_tokens, token_types
from keras_mmfusion.metrics.comparable_values import check_comparable


class NgramCounts(NamedTuple):
    """How often each n-gram of one order stands in each caption: three arrays side by side."""

    caption: np.ndarray
    ngram: np.ndarray
    count: np.ndarray


class ReferenceNgrams:
    """Counts of all 1- to `order`-grams of the references of each image.

    An n-gram is the pair (number of its first n-1 tokens, last token), so one integer names it
    exactly, without hashing, and counting is sorting. Candidates are coded with the same
    integers; n-grams that no reference has get numbers from `sizes[n - 1]` upwards that hold
    within that one call.

    Args:
        captions: list, per image a list of captions; a caption is a string of tokens between
            spaces or a sequence of hashable tokens.
        order: int. The longest n-gram.

    Example:

    >>> ngrams = ReferenceNgrams([["a dog runs", "a dog"]], order=2)
    >>> ngrams.sizes
    [3, 2]
    """

    def __init__(self, captions, order=4):
        self.order = order
        per_image = np.array([len(c) for c in captions], dtype=np.int64)
        self.image_of_reference = np.repeat(np.arange(len(captions)), per_image)
        self.first_reference = np.cumsum(per_image) - per_image
        self.references_of_image = per_image

        self._vocabulary = {}
        self._keys = []
        self.sizes = []
        number = self._vocabulary.setdefault
        sequences = [split_tokens(caption) for image in captions for caption in image]
        tokens = [number(token, len(self._vocabulary)) for s in sequences for token in s]
        self._examples = token_types([list(self._vocabulary)])
        self.lengths = np.array([len(s) for s in sequences], dtype=np.int64)

        self.counts = []
        self.starts = []
        self._pairs = []
        for caption, ngram in self._coded(np.array(tokens, dtype=np.int64), self.lengths):
            self._learn_pairs(_count(caption, ngram))

    def encode(self, captions):
        """Codes candidates with the references' integers.

        Args:
            captions: list of captions.

        Returns:
            A tuple `(lengths, counts)`: int array `(captions,)`, and per order a `NgramCounts`.

        Raises:
            ValueError: if these are words and the references' tokens are ids, or the reverse.
        """
        sequences = [split_tokens(caption) for caption in captions]
        known, new = self._vocabulary, {}
        first_new = len(known)
        tokens = []
        for sequence in sequences:
            for token in sequence:
                code = known.get(token)
                if code is None:
                    code = first_new + new.setdefault(token, len(new))
                tokens.append(code)
        check_comparable(references=self._examples, candidates=token_types([list(new)]))
        lengths = np.array([len(s) for s in sequences], dtype=np.int64)
        tokens = np.array(tokens, dtype=np.int64)
        return lengths, [
            _count(caption, ngram)
            for caption, ngram in self._coded(tokens, lengths, first_new + len(new))
        ]

    def find(self, order, images, ngrams):
        """Looks n-grams up among those of the given images' references.

        Args:
            order: int. The n-grams' length.
            images: int array. The image each n-gram is looked up in.
            ngrams: int array of the same size.

        Returns:
            A tuple `(found, pair)`: boolean array of the same size, and for the found ones the
            number of the (image, n-gram) pair: rows `starts[order - 1][pair]` up to
            `starts[order - 1][pair + 1]` of `counts[order - 1]` are its references.
        """
        pairs, size = self._pairs[order - 1], self.sizes[order - 1]
        if not len(pairs):
            return np.zeros(len(ngrams), bool), np.empty(0, np.int64)
        wanted = images * size + ngrams
        place = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
        found = (ngrams < size) & (pairs[place] == wanted)
        return found, place[found]

    def images_with(self, order):
        """Number of images of which a reference has the n-gram (its document frequency).

        Args:
            order: int. The n-grams' length.

        Returns:
            An int array `(n-grams of this order,)`.
        """
        size = self.sizes[order - 1]
        return np.bincount(self._pairs[order - 1] % max(size, 1), minlength=size)

    def _coded(self, tokens, lengths, vocabulary_size=None):
        """Yields per order the caption and the integer of each n-gram, in reading order.

        Without `vocabulary_size` the n-grams are learned, with it they are looked up.
        """
        learn = vocabulary_size is None
        vocabulary_size = len(self._vocabulary) if learn else vocabulary_size
        caption = np.repeat(np.arange(len(lengths)), lengths)
        left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(tokens))
        if learn:
            self.sizes.append(vocabulary_size)
        ngram = tokens
        yield caption, ngram
        for n in range(2, self.order + 1):
            # An n-gram starts wherever an (n-1)-gram does that one more token follows.
            follows = left >= n
            prefix = ngram[follows[left >= n - 1]]
            token = tokens[np.flatnonzero(follows) + n - 1]
            key = prefix * vocabulary_size + token
            if learn:
                known, ngram = np.unique(key, return_inverse=True)
                self._keys.append((vocabulary_size, known))
                self.sizes.append(len(known))
            else:
                ngram = self._look_up(n, prefix, token, key)
            yield caption[follows], ngram

    def _look_up(self, n, prefix, token, key):
        learned_vocabulary, known = self._keys[n - 2]
        size = self.sizes[n - 1]
        ngram = np.full(len(key), -1, dtype=np.int64)
        if size:
            learned = prefix * learned_vocabulary + token
            place = np.minimum(np.searchsorted(known, learned), size - 1)
            # A new token's number would read as another prefix's key: ask for both parts known.
            same = (known[place] == learned) & (token < learned_vocabulary)
            ngram[same] = place[same]
        unknown = ngram < 0
        ngram[unknown] = size + np.unique(key[unknown], return_inverse=True)[1]
        return ngram

    def _learn_pairs(self, counts):
        """Sorts the rows by image, then n-gram, and keeps where each such pair's rows start."""
        pair = self.image_of_reference[counts.caption] * self.sizes[-1] + counts.ngram
        order = np.argsort(pair, kind="stable")
        pairs, starts = np.unique(pair[order], return_index=True)
        self._pairs.append(pairs)
        self.starts.append(np.append(starts, len(pair)))
        self.counts.append(NgramCounts(*(array[order] for array in counts)))


def _count(caption, ngram):
    span = int(ngram.max()) + 1 if len(ngram) else 1
    key, count = np.unique(caption * span + ngram, return_counts=True)
    return NgramCounts(key // span, key % span, count)
