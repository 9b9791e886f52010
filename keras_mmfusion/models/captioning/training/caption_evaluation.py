"""Captions for every image of a split, and how they score against what people wrote."""

import os

from keras_mmfusion.metrics.caption_scores import check_metrics, coco_caption_scores


def evaluate_captioner(
    model,
    pairs,
    beams=4,
    length_penalty=0.7,
    metrics=None,
    batch_size=32,
    progress=iter,
):
    """Scores a captioner on images with reference captions; corpus scores, no weight changes.

    Images are read, captioned and forgotten batch by batch, so that memory stays flat.

    Args:
        model: `ImageCaptioningModel` with a preprocessor.
        pairs: `CaptionPairs`.
        beams: int. Width of the beam search; 1 is greedy.
        length_penalty: float. See `DecodingSettings`.
        metrics: names for `coco_caption_scores`, or `None` for its default.
        batch_size: int. Images decoded together.
        progress: function that passes on the images' paths, such as `tqdm.tqdm`.

    Returns:
        A dict: `"metrics"`, flat names to floats; `"protocol"`, how they were made: numbers of
        images and captions, decoding, the variant of METEOR; `"samples"`, for each image a dict
        of `"image"` (the file's name), `"caption"` and `"scores"`. The references are left out, so
        that results may be published where the data may not.

    Raises:
        ValueError: if a metric is not known or an image cannot be read.
    """
    metrics = check_metrics(metrics)
    candidates = model.generate(
        progress(pairs.images), beams=beams, length_penalty=length_penalty, batch_size=batch_size
    )
    references = [[text for text in texts if text.strip()] for texts in pairs.captions]
    # By number: two folders may hold images of the same name.
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
        "seeds": [],  # A search draws nothing.
        "tokenizer": "Penn Treebank, lower case, without punctuation, as coco-caption's",
    }
    if "meteor_variant" in scores:
        protocol["meteor"] = scores.pop("meteor_variant")
    samples = [
        {
            "image": os.path.basename(path),
            "caption": candidates[number],
            "scores": {name: each[number] for name, each in per_image.items()},
        }
        for number, path in enumerate(pairs.images)
    ]
    return {"metrics": scores, "protocol": protocol, "samples": samples}
