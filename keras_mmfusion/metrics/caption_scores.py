"""The scores that caption papers report, in one call."""

import warnings

from keras_mmfusion.metrics.bleu import bleu_scores
from keras_mmfusion.metrics.caption_inputs import check_captions, check_words
from keras_mmfusion.metrics.cider import cider_d_score, plain_cider_score
from keras_mmfusion.metrics.meteor_tables import REMEDY, installed_tables
from keras_mmfusion.metrics.ptb_tokenizer import PTBTokenizer
from keras_mmfusion.metrics.rouge_l import rouge_l_score


def coco_caption_scores(references, candidates, metrics=None, per_image=False):
    """Scores captions as coco-caption (pycocoevalcap) does, without Java.

    Captions are tokenized by `PTBTokenizer` (lower case, punctuation taken out), then each
    metric is computed on the tokens; the numbers are those of pycocoevalcap. Its "CIDEr" is
    CIDEr-D; see `keras_mmfusion.metrics.CiderD`.

    Args:
        references: dict of image id -> list of strings.
        candidates: dict of image id -> string.
        metrics: names of metrics: `"bleu"`, `"rouge_l"`, `"cider"`, `"meteor"`, or
            `"plain_cider"` (without CIDEr-D's clipping and length penalty). `None` for the first
            four, without METEOR, and with a warning, where its tables are not installed.
        per_image: bool. Adds each image's own scores.

    Returns:
        A dict of floats: `bleu_1` ... `bleu_4`, `rouge_l`, `cider`, `meteor`, as asked for. With
        `"meteor"`, always METEOR 1.5 with all of its tables, also `meteor_variant`, a string that
        names the version and its stages. With
        `per_image=True` also `per_image`, a dict of metric -> {image id: float}.

    Raises:
        TypeError: if a caption is no string.
        ValueError: if the two have different image ids, an image has no reference with a word, a
            metric is not known, or METEOR is asked for without its tables.

    Example:

    >>> references = {1: ["A dog runs."], 2: ["Two cats sleep on a bed."]}
    >>> candidates = {1: "A dog runs.", 2: "A cat sleeps on a bed."}
    >>> scores = coco_caption_scores(references, candidates, metrics=("bleu", "cider"))
    >>> {name: round(score, 3) for name, score in scores.items()}
    {'bleu_1': 0.667, 'bleu_2': 0.617, 'bleu_3': 0.534, 'bleu_4': 0.0, 'cider': 5.122}

    Reference:
        Chen et al., "Microsoft COCO Captions: Data Collection and Evaluation Server" (2015).
    """
    metrics = check_metrics(metrics)
    check_captions(references, candidates)
    _check_strings("references", (c for each in references.values() for c in each))
    _check_strings("candidates", candidates.values())
    tokenizer = PTBTokenizer()
    references = tokenizer.tokenize(references)
    candidates = tokenizer.tokenize({i: [candidates[i]] for i in references})
    candidates = {i: captions[0] for i, captions in candidates.items()}
    return score_tokens(references, candidates, metrics, per_image)


def score_tokens(references, candidates, metrics, per_image=False):
    """Scores captions that are tokens already: strings of them between spaces, or lists of ids.

    Args:
        references: dict of image id -> list of captions.
        candidates: dict of image id -> caption.
        metrics: names of metrics, as for `coco_caption_scores`.
        per_image: bool. Adds each image's own scores.

    Returns:
        A dict, as `coco_caption_scores` does.

    Example:

    >>> score_tokens({1: [[4, 5, 6]]}, {1: [4, 5, 6]}, ["rouge_l"])
    {'rouge_l': 1.0}
    """
    check_words(references)
    scores, each = {}, {}
    for name in check_metrics(metrics):
        corpus_scores, image_scores = _METRICS[name](references, candidates)
        scores |= corpus_scores
        each |= image_scores
    return scores | {"per_image": each} if per_image else scores


def check_metrics(metrics):
    """Checks names of metrics, before anything is computed.

    Args:
        metrics: a name, a sequence of names, or `None` for `default_metrics()`.

    Returns:
        A tuple of names.

    Raises:
        ValueError: if one is not known, or METEOR's tables are not installed.

    Example:

    >>> check_metrics("bleu")
    ('bleu',)
    """
    if metrics is None:
        return default_metrics()
    metrics = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    unknown = [name for name in metrics if name not in _METRICS]
    if unknown:
        raise ValueError(
            f"`metrics` has the unknown {', '.join(map(repr, unknown))}; "
            f"known are {', '.join(_METRICS)}."
        )
    if "meteor" in metrics and installed_tables() is None:
        raise ValueError(f"`metrics` has 'meteor'. {REMEDY}")
    return metrics


def default_metrics(warn=warnings.warn):
    """The metrics that papers report: BLEU, METEOR, ROUGE-L and CIDEr-D.

    Args:
        warn: function that is told, in a string, that METEOR is left out for want of its tables.

    Returns:
        A tuple of names.
    """
    if installed_tables() is not None:
        return "bleu", "meteor", "rouge_l", "cider"
    warn(f"METEOR is left out. {REMEDY}")
    return "bleu", "rouge_l", "cider"


def _bleu(references, candidates):
    corpus, each = bleu_scores(references, candidates)
    names = [f"bleu_{n}" for n in range(1, len(corpus) + 1)]
    return dict(zip(names, corpus, strict=True)), {
        name: {i: scores[n] for i, scores in each.items()} for n, name in enumerate(names)
    }


def _meteor(references, candidates):
    from keras_mmfusion.metrics.meteor import Meteor

    meteor = Meteor()
    corpus, each = meteor.score(references, candidates)
    return {"meteor": corpus, "meteor_variant": meteor.variant}, {"meteor": each}


def _single(name, function):
    def score(references, candidates):
        corpus, each = function(references, candidates)
        return {name: corpus}, {name: each}

    return score


_METRICS = {
    "bleu": _bleu,
    "rouge_l": _single("rouge_l", rouge_l_score),
    "cider": _single("cider", cider_d_score),
    "plain_cider": _single("plain_cider", plain_cider_score),
    "meteor": _meteor,
}


def _check_strings(argument, captions):
    for caption in captions:
        if not isinstance(caption, str):
            raise TypeError(
                f"`{argument}` must have strings as captions, not {type(caption).__name__}: "
                f"{caption!r:.80}"
            )
