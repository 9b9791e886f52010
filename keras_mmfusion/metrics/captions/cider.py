"""CIDEr-D (reported as "CIDEr" in most papers) and plain CIDEr."""

import numpy as np

from keras_mmfusion.metrics.captions.caption_inputs import (
    check_captions,
    check_references,
    list_ids,
)
from keras_mmfusion.metrics.captions.reference_ngrams import ReferenceNgrams


class CiderD:
    """Computes CIDEr-D; the statistics of the references are computed once.

    `CIDEr-D = 10 / (4 m) · Σₙ Σⱼ exp(-(l_c - l_j)² / (2 σ²)) · min(g_c, g_j) · g_j / (|g_c| |g_j|)`
    for n = 1 ... 4 and the image's m references. `g` is the tf-idf vector of a caption's n-grams:
    an n-gram's count times its inverse document frequency
    `log(images) - log(max(1, images with the n-gram in a reference))`. `l` is a caption's number
    of bigrams and `σ = 6`.

    The scores equal those of pycocoevalcap's `Cider`, which papers and leaderboards report as
    "CIDEr": that code includes the clipping `min` and the length penalty of CIDEr-D. `PlainCider`
    omits both.

    One instance scores many batches: in self-critical training the references are those of the
    whole training set, and each step scores its sampled captions.

    Args:
        references: dict of image id -> list of captions; a caption is a string of tokens
            separated by spaces, or a sequence of hashable tokens, such as token ids.

    Raises:
        ValueError: if there are no images, or an image has no reference.

    Example:

    >>> references = {1: ["a dog runs", "the dog runs"], 2: ["a cat"], 3: ["two men"]}
    >>> CiderD(references).score([1, 1, 2], ["a dog runs", "a dog", "a dog"]).round(2)
    array([5.36, 2.44, 0.3 ])

    Reference:
        Vedantam, Zitnick and Parikh, "CIDEr: Consensus-based Image Description Evaluation" (2015),
        sections 4 and 6.
    """

    _clipped = True
    _sigma = 6.0

    def __init__(self, references):
        check_references(references)
        self._image = {image_id: number for number, image_id in enumerate(references)}
        self._ngrams = ReferenceNgrams(list(references.values()))
        log_images = np.log(float(len(references)))
        # The last entry of each order is for n-grams that are in no reference.
        self._idf = [
            np.append(log_images - np.log(np.maximum(1, self._ngrams.count_images(n))), log_images)
            for n in range(1, self._ngrams.order + 1)
        ]
        self._weights = [
            idf[counts.ngram] * counts.count
            for idf, counts in zip(self._idf, self._ngrams.counts, strict=True)
        ]
        self._norms = [
            np.sqrt(np.bincount(counts.caption, weights**2, len(self._ngrams.lengths)))
            for weights, counts in zip(self._weights, self._ngrams.counts, strict=True)
        ]

    def score(self, ids, candidates):
        """Scores each candidate against the references of its image.

        Args:
            ids: sequence of image ids; an id may occur more than once.
            candidates: sequence of captions, one for each id.

        Returns:
            A float64 array `(candidates,)`, from 0 to 10.

        Raises:
            ValueError: if the lengths differ, or an id has no references.
        """
        if len(ids) != len(candidates):
            raise ValueError(
                f"`ids` and `candidates` must have the same length, not {len(ids)} and "
                f"{len(candidates)}."
            )
        unknown = [image_id for image_id in ids if image_id not in self._image]
        if unknown:
            raise ValueError(f"`ids` has image ids without references: {list_ids(unknown)}.")
        ngrams = self._ngrams
        image = np.array([self._image[image_id] for image_id in ids], dtype=np.int64)
        lengths, counts = ngrams.encode(candidates)

        # One row for each pair of a candidate and a reference of its image.
        references = ngrams.references_of_image[image]
        first_pair = np.cumsum(references) - references
        candidate = np.repeat(np.arange(len(image)), references)
        reference = _concatenate_ranges(ngrams.first_reference[image], references)
        similarity = np.zeros(len(candidate))
        for n, order in enumerate(counts):
            similarity += self._cosines(n, order, image, first_pair, candidate, reference)
        if self._clipped:
            bigrams = np.maximum(lengths - 1, 0)[candidate]
            difference = bigrams - np.maximum(ngrams.lengths - 1, 0)[reference]
            similarity *= np.exp(-(difference**2) / (2 * self._sigma**2))
        total = np.bincount(candidate, similarity, minlength=len(image))
        return 10.0 * total / (ngrams.order * references)

    def _cosines(self, n, counts, image, first_pair, candidate, reference):
        """Cosine similarity (clipped in CIDEr-D) of each pair for the (n+1)-grams."""
        ngrams, starts = self._ngrams, self._ngrams.starts[n]
        idf = self._idf[n]
        weight = counts.count * idf[np.minimum(counts.ngram, len(idf) - 1)]
        norm = np.sqrt(np.bincount(counts.caption, weight**2, len(image)))

        # Each shared n-gram contributes once per reference of the image that contains it.
        is_shared, key = ngrams.find(n + 1, image[counts.caption], counts.ngram)
        repeats = starts[key + 1] - starts[key]
        row = _concatenate_ranges(starts[key], repeats)
        reference_weights = self._weights[n][row]
        candidate_weights = np.repeat(weight[is_shared], repeats)
        owner = np.repeat(counts.caption[is_shared], repeats)
        pair = (
            first_pair[owner] + ngrams.counts[n].caption[row] - ngrams.first_reference[image[owner]]
        )
        if self._clipped:
            candidate_weights = np.minimum(candidate_weights, reference_weights)
        dots = np.bincount(pair, candidate_weights * reference_weights, minlength=len(candidate))
        norms = norm[candidate] * self._norms[n][reference]
        return dots / np.where(norms, norms, 1.0)


class PlainCider(CiderD):
    """Computes plain CIDEr: cosine similarities without clipping or length penalty.

    `CIDEr = 10 / (4 m) · Σₙ Σⱼ g_c · g_j / (|g_c| |g_j|)`, with the notation of `CiderD`. It
    rewards candidates that repeat a rare n-gram, so papers report CIDEr-D instead. Captions are
    not stemmed, unlike in the paper.

    Args:
        references: dict of image id -> list of captions, as for `CiderD`.

    Raises:
        ValueError: if there are no images, or an image has no reference.

    Example:

    >>> references = {1: ["a dog runs", "the dog runs"], 2: ["a cat"], 3: ["two men"]}
    >>> PlainCider(references).score([1], ["a dog runs"]).round(2)
    array([5.36])

    Reference:
        Vedantam, Zitnick and Parikh, "CIDEr: Consensus-based Image Description Evaluation" (2015),
        equations 1 to 3; the factor 10 is that of the authors' code.
    """

    _clipped = False


def cider_d_score(references, candidates):
    """Computes the CIDEr-D score of one candidate per image, and the mean (see `CiderD`).

    Args:
        references: dict of image id -> list of captions.
        candidates: dict of image id -> one caption.

    Returns:
        A tuple `(mean, per_image)`: a float, and a dict of image id -> float.

    Raises:
        ValueError: if the image ids differ, or an image has no reference.

    Example:

    >>> references = {1: ["a dog runs"], 2: ["a cat"], 3: ["two men"]}
    >>> mean, per_image = cider_d_score(references, {1: "a dog", 2: "a cat", 3: "a man"})
    >>> round(mean, 3)
    2.847
    """
    return _mean_score(CiderD, references, candidates)


def plain_cider_score(references, candidates):
    """Computes the plain CIDEr score of one candidate per image, and the mean (see `PlainCider`).

    Args:
        references: dict of image id -> list of captions.
        candidates: dict of image id -> one caption.

    Returns:
        A tuple `(mean, per_image)`: a float, and a dict of image id -> float.

    Raises:
        ValueError: if the image ids differ, or an image has no reference.

    Example:

    >>> references = {1: ["a dog runs"], 2: ["a cat"], 3: ["two men"]}
    >>> mean, per_image = plain_cider_score(references, {1: "a dog", 2: "a cat", 3: "a man"})
    >>> round(mean, 3)
    2.864
    """
    return _mean_score(PlainCider, references, candidates)


def _mean_score(scorer, references, candidates):
    check_captions(references, candidates)
    ids = list(references)
    scores = scorer(references).score(ids, [candidates[i] for i in ids])
    return float(scores.mean()), dict(zip(ids, scores.tolist(), strict=True))


def _concatenate_ranges(starts, lengths):
    """Concatenates the integer ranges with the given starts and lengths."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)
