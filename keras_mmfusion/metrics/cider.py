"""CIDEr-D, which is what caption papers quote as "CIDEr", and the plain CIDEr."""

import numpy as np

from keras_mmfusion.metrics.caption_inputs import check_captions, check_references, list_ids
from keras_mmfusion.metrics.reference_ngrams import ReferenceNgrams


class CiderD:
    """CIDEr-D of candidates against references whose statistics are computed once.

    `CIDEr-D = 10 / (4 m) · Σₙ Σⱼ exp(-(l_c - l_j)² / (2 σ²)) · min(g_c, g_j) · g_j / (|g_c| |g_j|)`
    for n = 1 ... 4 and the image's m references, where `g` holds an n-gram's count times
    `log(images) - log(max(1, images that have it in a reference))`, `l` is a caption's number
    of bigrams and `σ = 6`.

    These are the numbers of pycocoevalcap's `Cider`, so what papers and leader boards quote as
    "CIDEr": that code has the clipping `min` and the length penalty of CIDEr-D. `PlainCider` is
    the measure without the two.

    Made once, an object scores many batches: in self-critical training the references are those
    of the whole training set and each step scores its sampled captions.

    Args:
        references: dict of image id -> list of captions; a caption is a string of tokens between
            spaces or a sequence of hashable tokens, such as token ids.

    Raises:
        ValueError: if there is no image, or an image has no reference.

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
        # Per order one more entry, for the n-grams that no reference has.
        self._rarity = [
            np.append(log_images - np.log(np.maximum(1, self._ngrams.images_with(n))), log_images)
            for n in range(1, self._ngrams.order + 1)
        ]
        self._weights = [
            rarity[counts.ngram] * counts.count
            for rarity, counts in zip(self._rarity, self._ngrams.counts, strict=True)
        ]
        self._norms = [
            np.sqrt(np.bincount(counts.caption, weights**2, len(self._ngrams.lengths)))
            for weights, counts in zip(self._weights, self._ngrams.counts, strict=True)
        ]

    def score(self, ids, candidates):
        """Scores candidates, each against the references of its own image.

        Args:
            ids: sequence of image ids; an id may come more than once.
            candidates: sequence of captions, one for each id.

        Returns:
            A float64 array `(candidates,)`, from 0 to 10.

        Raises:
            ValueError: if the two have different lengths, or no reference is known for an id.
        """
        if len(ids) != len(candidates):
            raise ValueError(
                f"`ids` and `candidates` must have one length, not {len(ids)} and "
                f"{len(candidates)}."
            )
        unknown = [image_id for image_id in ids if image_id not in self._image]
        if unknown:
            raise ValueError(f"`ids` has image ids without references: {list_ids(unknown)}.")
        ngrams = self._ngrams
        image = np.array([self._image[image_id] for image_id in ids], dtype=np.int64)
        lengths, counts = ngrams.encode(candidates)

        # One cell for each pair of a candidate and a reference of its image.
        references = ngrams.references_of_image[image]
        first_cell = np.cumsum(references) - references
        candidate = np.repeat(np.arange(len(image)), references)
        reference = _ranges(ngrams.first_reference[image], references)
        similarity = np.zeros(len(candidate))
        for n, order in enumerate(counts):
            similarity += self._cosines(n, order, image, first_cell, candidate, reference)
        if self._clipped:
            bigrams = np.maximum(lengths - 1, 0)[candidate]
            apart = bigrams - np.maximum(ngrams.lengths - 1, 0)[reference]
            similarity *= np.exp(-(apart**2) / (2 * self._sigma**2))
        total = np.bincount(candidate, similarity, minlength=len(image))
        return 10.0 * total / (ngrams.order * references)

    def _cosines(self, n, counts, image, first_cell, candidate, reference):
        """Cosine similarity (clipped in CIDEr-D) of each cell for the (n+1)-grams."""
        ngrams, starts = self._ngrams, self._ngrams.starts[n]
        rarity = self._rarity[n]
        weight = counts.count * rarity[np.minimum(counts.ngram, len(rarity) - 1)]
        norm = np.sqrt(np.bincount(counts.caption, weight**2, len(image)))

        found, pair = ngrams.find(n + 1, image[counts.caption], counts.ngram)
        times = starts[pair + 1] - starts[pair]
        row = _ranges(starts[pair], times)
        theirs = self._weights[n][row]
        ours = np.repeat(weight[found], times)
        owner = np.repeat(counts.caption[found], times)
        cell = (
            first_cell[owner] + ngrams.counts[n].caption[row] - ngrams.first_reference[image[owner]]
        )
        products = (np.minimum(ours, theirs) if self._clipped else ours) * theirs
        dots = np.bincount(cell, products, minlength=len(candidate))
        norms = norm[candidate] * self._norms[n][reference]
        return dots / np.where(norms, norms, 1.0)


class PlainCider(CiderD):
    """CIDEr as its paper first defines it: cosines without clipping and without length penalty.

    `CIDEr = 10 / (4 m) · Σₙ Σⱼ g_c · g_j / (|g_c| |g_j|)`, with the words of `CiderD`. It rewards
    a candidate that repeats a rare n-gram, for which reason everybody quotes CIDEr-D. Captions
    are taken as they are; the paper stems them first.

    Args:
        references: dict of image id -> list of captions, as for `CiderD`.

    Raises:
        ValueError: if there is no image, or an image has no reference.

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
    """CIDEr-D of one candidate for each image, and the mean: see `CiderD`.

    Args:
        references: dict of image id -> list of captions.
        candidates: dict of image id -> one caption.

    Returns:
        A tuple `(mean, per_image)`: a float, and a dict of image id -> float.

    Raises:
        ValueError: if the two have different image ids, or an image has no reference.

    Example:

    >>> references = {1: ["a dog runs"], 2: ["a cat"], 3: ["two men"]}
    >>> mean, per_image = cider_d_score(references, {1: "a dog", 2: "a cat", 3: "a man"})
    >>> round(mean, 3)
    2.847
    """
    return _mean_score(CiderD, references, candidates)


def plain_cider_score(references, candidates):
    """CIDEr without clipping and length penalty, and the mean: see `PlainCider`.

    Args:
        references: dict of image id -> list of captions.
        candidates: dict of image id -> one caption.

    Returns:
        A tuple `(mean, per_image)`: a float, and a dict of image id -> float.

    Raises:
        ValueError: if the two have different image ids, or an image has no reference.

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


def _ranges(starts, lengths):
    """The integers of all ranges `start, start + 1, ...` of the given lengths, end to end."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)
