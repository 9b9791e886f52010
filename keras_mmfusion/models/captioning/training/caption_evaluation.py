"""Evaluation of captioners against reference captions."""

import os

from keras_mmfusion.metrics.captions.caption_scores import check_metrics, coco_caption_scores
from keras_mmfusion.models.runs.evaluation_result import EvaluationResult

HEADINGS = {
    "bleu_1": "BLEU-1",
    "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3",
    "bleu_4": "BLEU-4",
    "meteor": "METEOR",
    "rouge_l": "ROUGE-L",
    "cider": "CIDEr-D",
}


def evaluate_captioner(
    model,
    pairs,
    beams=4,
    length_penalty=0.7,
    metrics=None,
    batch_size=32,
    progress=iter,
):
    """Computes corpus-level caption scores of a captioner on images with reference captions.

    Images are read batch by batch, so memory use does not grow with the data set.

    Args:
        model: `Captioner` with a preprocessor.
        pairs: `CaptionPairs`.
        beams: int. Beam width; 1 is greedy search.
        length_penalty: float. See `DecodingSettings`.
        metrics: names of `coco_caption_scores`, or `None` for its default.
        batch_size: int. Number of images decoded together.
        progress: function that wraps the iterable of image paths, such as `tqdm.tqdm`.

    Returns:
        `EvaluationResult`. `protocol` has the numbers of images and captions, the decoding and the
        variant of METEOR; `samples` has for each image a dict of `"image"` (the file name),
        `"caption"` and `"scores"`. References are not included, so that results may be published if
        the data may not.

    Raises:
        ValueError: if a metric is unknown or an image cannot be read.
    """
    metrics = check_metrics(metrics)
    candidates = model.generate(
        progress(pairs.images), beams=beams, length_penalty=length_penalty, batch_size=batch_size
    )
    references = [[text for text in texts if text.strip()] for texts in pairs.captions]
    # Keyed by index, since two folders may contain images with the same name.
    scores = coco_caption_scores(
        dict(enumerate(references)), dict(enumerate(candidates)), metrics, per_image=True
    )
    per_image = scores.pop("per_image")
    protocol = {
        "images": len(pairs),
        "captions": sum(map(len, references)),
        "decoding": {
            "beams": beams,
            "length_penalty": length_penalty,
            "max_length": model.preprocessor.sequence_length,
        },
        "seeds": [],  # Beam search is deterministic.
        "tokenizer": "Penn Treebank, lower case, without punctuation, as coco-caption's",
    }
    if "meteor_variant" in scores:
        protocol["meteor"] = scores.pop("meteor_variant")
    samples = [
        {
            "image": os.path.basename(path),
            "caption": candidates[index],
            "scores": {name: values[index] for name, values in per_image.items()},
        }
        for index, path in enumerate(pairs.images)
    ]
    return EvaluationResult(scores, protocol, samples, describe_table(scores, protocol))


def describe_table(metrics, protocol):
    """Describes how the scores of a captioner are shown; see `EvaluationResult`."""
    beams = protocol["decoding"]["beams"]
    summary = [
        f"{protocol['images']:,} images with {protocol['captions']:,} captions",
        "corpus scores",
        f"length penalty {protocol['decoding']['length_penalty']:g}",
        f"tokenizer: {protocol['tokenizer']}",
    ]
    if "meteor" in protocol:
        summary.append(f"METEOR: {protocol['meteor']}")
    return {
        "metrics": {name: heading for name, heading in HEADINGS.items() if name in metrics},
        "settings": {"Search": f"{beams} beams" if beams > 1 else "greedy"},
        "summary": "; ".join(summary),
    }
