"""Computes the scores that image captioning papers report."""

import warnings

from keras_mmfusion.metrics.captions.bleu import bleu_scores
from keras_mmfusion.metrics.captions.caption_inputs import check_captions, check_words
from keras_mmfusion.metrics.captions.cider import cider_d_score, plain_cider_score
from keras_mmfusion.metrics.captions.rouge_l import rouge_l_score
from keras_mmfusion.metrics.meteor.meteor_tables import REMEDY, find_installed_tables
from keras_mmfusion.metrics.tokenization.ptb_tokenizer import PTBTokenizer


def coco_caption_scores(references, candidates, metrics=None, per_image=False):
    """Scores captions as coco-caption (pycocoevalcap) does, without Java.

    Captions are tokenized by `PTBTokenizer` (lower case, without punctuation), then each metric
    is computed on the tokens. The scores equal those of pycocoevalcap, whose "CIDEr" is CIDEr-D;
    see `keras_mmfusion.metrics.CiderD`.

    Args:
        references: dict of image id -> list of strings.
        candidates: dict of image id -> string.
        metrics: names of metrics: `"bleu"`, `"rouge_l"`, `"cider"`, `"meteor"`, or
            `"plain_cider"` (without CIDEr-D's clipping and length penalty). `None` selects the
            first four; METEOR is omitted with a warning if its tables are not installed.
        per_image: bool. Whether to add the scores of each image.

    Returns:
        A dict of floats: `bleu_1` ... `bleu_4`, `rouge_l`, `cider`, `meteor`, as requested.
        `"meteor"`, always METEOR 1.5 with all of its tables, adds `meteor_variant`, a string that
        names the version and its stages. `per_image=True` adds `per_image`, a dict of
        metric -> {image id: float}.

    Raises:
        TypeError: if a caption is not a string.
        ValueError: if the image ids differ, an image has no reference with a word, a metric is
            unknown, or METEOR is requested without its tables.

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
    """Scores tokenized captions: strings of tokens separated by spaces, or lists of ids.

    Args:
        references: dict of image id -> list of captions.
        candidates: dict of image id -> caption.
        metrics: names of metrics, as for `coco_caption_scores`.
        per_image: bool. Whether to add the scores of each image.

    Returns:
        A dict, as for `coco_caption_scores`.

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
    """Checks the names of metrics before anything is computed.

    Args:
        metrics: a name, a sequence of names, or `None` for `select_default_metrics()`.

    Returns:
        A tuple of names.

    Raises:
        ValueError: if a name is unknown, or METEOR's tables are not installed.

    Example:

    >>> check_metrics("bleu")
    ('bleu',)
    """
    if metrics is None:
        return select_default_metrics()
    metrics = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    unknown = [name for name in metrics if name not in _METRICS]
    if unknown:
        raise ValueError(
            f"`metrics` has unknown names: {', '.join(map(repr, unknown))}. "
            f"Available: {', '.join(_METRICS)}."
        )
    if "meteor" in metrics and find_installed_tables() is None:
        raise ValueError(f"`metrics` includes 'meteor'. {REMEDY}")
    return metrics


def select_default_metrics(warn=warnings.warn):
    """Returns the metrics that papers report: BLEU, METEOR, ROUGE-L and CIDEr-D.

    Args:
        warn: function called with a message if METEOR is omitted because its tables are missing.

    Returns:
        A tuple of names.
    """
    if find_installed_tables() is not None:
        return "bleu", "meteor", "rouge_l", "cider"
    warn(f"METEOR is omitted. {REMEDY}")
    return "bleu", "rouge_l", "cider"


def _bleu(references, candidates):
    corpus, each = bleu_scores(references, candidates)
    names = [f"bleu_{n}" for n in range(1, len(corpus) + 1)]
    return dict(zip(names, corpus, strict=True)), {
        name: {i: scores[n] for i, scores in each.items()} for n, name in enumerate(names)
    }


def _meteor(references, candidates):
    from keras_mmfusion.metrics.meteor.meteor import Meteor

    meteor = Meteor()
    corpus, each = meteor.score(references, candidates)
    return {"meteor": corpus, "meteor_variant": meteor.variant}, {"meteor": each}


def _wrap_single(name, function):
    def score(references, candidates):
        corpus, each = function(references, candidates)
        return {name: corpus}, {name: each}

    return score


_METRICS = {
    "bleu": _bleu,
    "rouge_l": _wrap_single("rouge_l", rouge_l_score),
    "cider": _wrap_single("cider", cider_d_score),
    "plain_cider": _wrap_single("plain_cider", plain_cider_score),
    "meteor": _meteor,
}


def _check_strings(argument, captions):
    for caption in captions:
        if not isinstance(caption, str):
            raise TypeError(
                f"`{argument}` must have strings as captions, not {type(caption).__name__}: "
                f"{caption!r:.80}"
            )
