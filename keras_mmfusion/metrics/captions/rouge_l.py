"""ROUGE-L of captions, as coco-caption computes it."""

from keras_mmfusion.metrics.captions.caption_inputs import (
    check_captions,
    sample_token_types,
    split_tokens,
)
from keras_mmfusion.metrics.comparable_values import check_comparable

_BETA = 1.2


def rouge_l_score(references, candidates):
    """Computes ROUGE-L of each image and the mean, as coco-caption does.

    `F = (1 + β²) · P · R / (R + β² · P)` with `β = 1.2`. `P` and `R` are the length of the
    longest common subsequence divided by the length of the candidate and of the reference, each
    the maximum over the references.

    Args:
        references: dict of image id -> list of captions; a caption is a string of tokens separated
            by single spaces, or a sequence of hashable tokens.
        candidates: dict of image id -> one caption.

    Returns:
        A tuple `(mean, per_image)`: a float, and a dict of image id -> float.

    Raises:
        ValueError: if the image ids differ, or an image has no reference.

    Example:

    >>> mean, per_image = rouge_l_score({1: ["a dog runs on grass"]}, {1: "a dog on grass"})
    >>> round(mean, 4)
    0.8714

    Reference:
        Lin, "ROUGE: A Package for Automatic Evaluation of Summaries" (2004), section 3.1; `β` and
        the maxima follow the coco-caption code.
    """
    check_captions(references, candidates)
    check_comparable(
        references=sample_token_types(caption for each in references.values() for caption in each),
        candidates=sample_token_types(candidates.values()),
    )
    per_image = {i: _score(references[i], candidates[i]) for i in references}
    return sum(per_image.values()) / len(per_image), per_image


def _score(references, candidate):
    tokens = _split(candidate)
    positions = {}  # Token -> bit mask of its positions.
    for position, token in enumerate(tokens):
        positions[token] = positions.get(token, 0) | 1 << position
    precision = recall = 0.0
    for reference in references:
        reference = _split(reference)
        common = _find_common_length(positions, len(tokens), reference)
        precision = max(precision, common / len(tokens))
        recall = max(recall, common / len(reference))
    if not precision:
        return 0.0
    return (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def _split(caption):
    # As in coco-caption, an empty caption has one empty token.
    return caption.split(" ") if isinstance(caption, str) else split_tokens(caption) or [""]


def _find_common_length(positions, length, tokens):
    """Returns the length of the longest common subsequence, with bit-parallel rows (Hyyrö, 2004).

    Bit `i` of `row` is 0 if the table value increases at token `i` of the candidate.
    """
    all_bits = (1 << length) - 1
    row = all_bits
    for token in tokens:
        matches = row & positions.get(token, 0)
        row = (row + matches | row - matches) & all_bits
    return length - row.bit_count()
