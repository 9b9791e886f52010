"""Encodes the n-grams of references as integers, for fast lookup of many candidates."""

from typing import NamedTuple

import numpy as np

from keras_mmfusion.metrics.captions.caption_inputs import sample_token_types, split_tokens
from keras_mmfusion.metrics.comparable_values import check_comparable


class NgramCounts(NamedTuple):
    """Counts of the n-grams of one order in each caption, as three arrays of the same length."""

    caption: np.ndarray
    ngram: np.ndarray
    count: np.ndarray


class ReferenceNgrams:
    """Counts all 1- to `order`-grams in the references of each image.

    An n-gram is encoded as the pair (number of its first n - 1 tokens, last token), a unique
    integer, so n-grams are counted by sorting. Candidates use the same integers; n-grams that are
    in no reference get numbers from `sizes[n - 1]`, valid for one call of `encode`.

    Args:
        captions: list with a list of captions for each image; a caption is a string of tokens
            separated by spaces, or a sequence of hashable tokens.
        order: int. The length of the longest n-grams.

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
        get_number = self._vocabulary.setdefault
        sequences = [split_tokens(caption) for image in captions for caption in image]
        tokens = [get_number(token, len(self._vocabulary)) for s in sequences for token in s]
        self._examples = sample_token_types([list(self._vocabulary)])
        self.lengths = np.array([len(s) for s in sequences], dtype=np.int64)

        self.counts = []
        self.starts = []
        self._pairs = []
        for caption, ngram in self._encode_ngrams(np.array(tokens, dtype=np.int64), self.lengths):
            self._index_pairs(_count(caption, ngram))

    def encode(self, captions):
        """Encodes candidates with the integers of the references.

        Args:
            captions: list of captions.

        Returns:
            A tuple `(lengths, counts)`: an int array `(captions,)`, and a list with the
            `NgramCounts` of each order.

        Raises:
            ValueError: if candidates and references mix words and ids.
        """
        sequences = [split_tokens(caption) for caption in captions]
        vocabulary, new = self._vocabulary, {}
        first_new = len(vocabulary)
        tokens = []
        for sequence in sequences:
            for token in sequence:
                code = vocabulary.get(token)
                if code is None:
                    code = first_new + new.setdefault(token, len(new))
                tokens.append(code)
        check_comparable(references=self._examples, candidates=sample_token_types([list(new)]))
        lengths = np.array([len(s) for s in sequences], dtype=np.int64)
        tokens = np.array(tokens, dtype=np.int64)
        return lengths, [
            _count(caption, ngram)
            for caption, ngram in self._encode_ngrams(tokens, lengths, first_new + len(new))
        ]

    def find(self, order, images, ngrams):
        """Looks up n-grams in the references of the given images.

        Args:
            order: int. The length of the n-grams.
            images: int array `(n-grams,)`. The image whose references are searched.
            ngrams: int array `(n-grams,)`.

        Returns:
            A tuple `(found, pair)`: a boolean array `(n-grams,)`, and the indices of the (image,
            n-gram) pairs that were found. The references of a pair are the rows
            `starts[order - 1][pair]` to `starts[order - 1][pair + 1]` of `counts[order - 1]`.
        """
        pairs, size = self._pairs[order - 1], self.sizes[order - 1]
        if not len(pairs):
            return np.zeros(len(ngrams), bool), np.empty(0, np.int64)
        keys = images * size + ngrams
        index = np.minimum(np.searchsorted(pairs, keys), len(pairs) - 1)
        found = (ngrams < size) & (pairs[index] == keys)
        return found, index[found]

    def count_images(self, order):
        """Counts the images with each n-gram in a reference (its document frequency).

        Args:
            order: int. The length of the n-grams.

        Returns:
            An int array `(n-grams of this order,)`.
        """
        size = self.sizes[order - 1]
        return np.bincount(self._pairs[order - 1] % max(size, 1), minlength=size)

    def _encode_ngrams(self, tokens, lengths, vocabulary_size=None):
        """Yields the captions and integers of all n-grams, in text order, for each order.

        N-grams are added to the table if `vocabulary_size` is `None`, and looked up otherwise.
        """
        is_new = vocabulary_size is None
        vocabulary_size = len(self._vocabulary) if is_new else vocabulary_size
        caption = np.repeat(np.arange(len(lengths)), lengths)
        remaining = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(tokens))
        if is_new:
            self.sizes.append(vocabulary_size)
        ngram = tokens
        yield caption, ngram
        for n in range(2, self.order + 1):
            # An n-gram starts at each (n-1)-gram that is followed by a token.
            follows = remaining >= n
            prefix = ngram[follows[remaining >= n - 1]]
            token = tokens[np.flatnonzero(follows) + n - 1]
            key = prefix * vocabulary_size + token
            if is_new:
                keys, ngram = np.unique(key, return_inverse=True)
                self._keys.append((vocabulary_size, keys))
                self.sizes.append(len(keys))
            else:
                ngram = self._look_up(n, prefix, token, key)
            yield caption[follows], ngram

    def _look_up(self, n, prefix, token, key):
        vocabulary_size, known_keys = self._keys[n - 2]
        size = self.sizes[n - 1]
        ngram = np.full(len(key), -1, dtype=np.int64)
        if size:
            known_key = prefix * vocabulary_size + token
            index = np.minimum(np.searchsorted(known_keys, known_key), size - 1)
            # The key of a new token may equal that of another prefix, so check the token as well.
            is_known = (known_keys[index] == known_key) & (token < vocabulary_size)
            ngram[is_known] = index[is_known]
        unknown = ngram < 0
        ngram[unknown] = size + np.unique(key[unknown], return_inverse=True)[1]
        return ngram

    def _index_pairs(self, counts):
        """Sorts the rows by image and n-gram, and stores the start of each pair's rows."""
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
