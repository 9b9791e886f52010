"""BLEU-1 to BLEU-4 over a corpus, computed as in coco-caption."""

import numpy as np

from keras_mmfusion.metrics.captions.caption_inputs import check_captions
from keras_mmfusion.metrics.captions.reference_ngrams import ReferenceNgrams

# coco-caption's guards against 0 / 0; they affect its scores.
_SMALL = 1e-9
_TINY = 1e-15


def bleu_scores(references, candidates):
    """Computes BLEU-1 to BLEU-4 of the corpus and of each image, as coco-caption does.

    `BLEU_N = min(1, exp(1 - r / c)) · (∏ₙ pₙ)^(1/N)` for n = 1 ... N, where `pₙ` is the share of
    the candidates' n-grams found in the references (each counted at most as often as in the
    reference where it is most frequent), `c` the total length of the candidates and `r` the sum
    of the reference lengths closest to each candidate's (the shorter one in a tie).

    Args:
        references: dict of image id -> list of captions; a caption is a string of tokens
            separated by spaces, or a sequence of hashable tokens.
        candidates: dict of image id -> one caption.

    Returns:
        A tuple `(corpus, per_image)`: a list of four floats, and a dict of image id -> list of
        four floats.

    Raises:
        ValueError: if the image ids differ, or an image has no reference.

    Example:

    >>> corpus, per_image = bleu_scores({1: ["a dog runs on grass"]}, {1: "a dog runs on"})
    >>> [round(score, 3) for score in corpus]
    [0.779, 0.779, 0.779, 0.779]

    Reference:
        Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation" (2002),
        section 2; the smoothing terms are those of the coco-caption code.
    """
    check_captions(references, candidates)
    ids = list(references)
    ngrams = ReferenceNgrams([references[i] for i in ids])
    length, counts = ngrams.encode([candidates[i] for i in ids])
    correct = np.stack([_clipped_matches(ngrams, n + 1, c) for n, c in enumerate(counts)])
    total = np.maximum(0, length - np.arange(ngrams.order)[:, None])
    reference_length = _closest_lengths(ngrams, length)

    corpus = _scores(correct.sum(1), total.sum(1), length.sum(), reference_length.sum())
    each = _scores(correct, total, length, reference_length)
    return corpus.tolist(), dict(zip(ids, each.T.tolist(), strict=True))


def _clipped_matches(ngrams, order, counts):
    """Counts the clipped n-gram matches of each candidate (one per image)."""
    found, pair = ngrams.find(order, counts.caption, counts.ngram)
    images = len(ngrams.first_reference)
    if not len(pair):
        return np.zeros(images)
    most = np.maximum.reduceat(ngrams.counts[order - 1].count, ngrams.starts[order - 1][:-1])
    return np.bincount(
        counts.caption[found], np.minimum(most[pair], counts.count[found]), minlength=images
    )


def _closest_lengths(ngrams, length):
    # Sort by distance, then length, with one key; lengths are below 2**31.
    rank = np.abs(ngrams.lengths - length[ngrams.image_of_reference]) * 2**31 + ngrams.lengths
    return np.minimum.reduceat(rank, ngrams.first_reference) % 2**31


def _scores(correct, total, length, reference_length):
    precisions = (correct + _TINY) / (total + _SMALL)
    orders = np.arange(1, len(precisions) + 1).reshape(-1, *[1] * (precisions.ndim - 1))
    geometric_mean = np.cumprod(precisions, axis=0) ** (1 / orders)
    ratio = (length + _TINY) / (reference_length + _SMALL)
    return geometric_mean * np.where(ratio < 1, np.exp(1 - 1 / ratio), 1.0)
