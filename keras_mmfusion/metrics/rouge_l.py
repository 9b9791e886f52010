"""ROUGE-L of captions, as coco-caption computes it."""

from keras_mmfusion.metrics.caption_inputs import check_captions, split_tokens, token_types
from keras_mmfusion.metrics.comparable_values import check_comparable

_BETA = 1.2


def rouge_l_score(references, candidates):
    """ROUGE-L of each image and their mean, as coco-caption computes it.

    `F = (1 + β²) · P · R / (R + β² · P)` with `β = 1.2`, `P` the largest share of the candidate
    and `R` the largest share of a reference that their longest common subsequence makes up; the
    two maxima may come from different references.

    Args:
        references: dict of image id -> list of captions; a caption is a string of tokens between
            single spaces, or a sequence of hashable tokens.
        candidates: dict of image id -> one caption.

    Returns:
        A tuple `(mean, per_image)`: a float, and a dict of image id -> float.

    Raises:
        ValueError: if the two have different image ids, or an image has no reference.

    Example:

    >>> mean, per_image = rouge_l_score({1: ["a dog runs on grass"]}, {1: "a dog on grass"})
    >>> round(mean, 4)
    0.8714

    Reference:
        Lin, "ROUGE: A Package for Automatic Evaluation of Summaries" (2004), section 3.1; `β` and
        the two maxima are those of the coco-caption code.
    """
    check_captions(references, candidates)
    check_comparable(
        references=token_types(caption for each in references.values() for caption in each),
        candidates=token_types(candidates.values()),
    )
    per_image = {i: _score(references[i], candidates[i]) for i in references}
    return sum(per_image.values()) / len(per_image), per_image


def _score(references, candidate):
    tokens = _tokens(candidate)
    places = {}
    for place, token in enumerate(tokens):
        places[token] = places.get(token, 0) | 1 << place
    precision = recall = 0.0
    for reference in references:
        reference = _tokens(reference)
        common = _common_length(places, len(tokens), reference)
        precision = max(precision, common / len(tokens))
        recall = max(recall, common / len(reference))
    if not precision:
        return 0.0
    return (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def _tokens(caption):
    # coco-caption's split: no caption is without tokens, an empty one has the empty token.
    return caption.split(" ") if isinstance(caption, str) else split_tokens(caption) or [""]


def _common_length(places, length, tokens):
    """Longest common subsequence, a whole row of the table in one integer (Hyyrö, 2004).

    Bit `i` of `row` is 0 where the table grows by one at the candidate's token `i`.
    """
    everywhere = (1 << length) - 1
    row = everywhere
    for token in tokens:
        matches = row & places.get(token, 0)
        row = (row + matches | row - matches) & everywhere
    return length - row.bit_count()
