"""Retrieval scores of image-text models."""

import os

import numpy as np

from keras_mmfusion.metrics.retrieval import best_ranks, score_ranks
from keras_mmfusion.models.retrieval.pair_matching import compute_pair_logits
from keras_mmfusion.models.runs.evaluation_result import EvaluationResult


def evaluate_retrieval(model, pairs, batch_size=32, progress=iter, rerank=None):
    """Scores image-to-text and text-to-image retrieval over all images and captions.

    Args:
        model: `ContrastiveModel` of `"image"` and `"text"`, with a preprocessor.
        pairs: `CaptionPairs`.
        batch_size: int.
        progress: function that wraps the iterable of image paths, such as `tqdm.tqdm`.
        rerank: int or `None`. With a `BlipMatcher`, the number of candidates with the highest
            cosines that are ranked by their match logit plus the cosine, before all others, as in
            the evaluation of BLIP.

    Returns:
        `EvaluationResult` with the metrics of `retrieval_scores`; `samples` has for each image a
        dict of `"image"` (the file name), `"image_to_text_rank"` and `"text_to_image_ranks"`, one
        for each caption. Captions are not included, so that results may be published if the data
        may not.

    Raises:
        ValueError: if an image cannot be read.
    """
    captions = [[text for text in texts if text.strip()] for texts in pairs.captions]
    image_index = np.repeat(np.arange(len(captions)), [len(texts) for texts in captions])
    images = model.embed("image", progress(pairs.images), batch_size)
    sentences = [text for each in captions for text in each]
    texts = model.embed("text", sentences, batch_size)
    similarities = by_image = images @ texts.T
    by_text = similarities.T
    if rerank is not None:
        by_image, by_text = _rerank(
            model, list(pairs.images), sentences, similarities, rerank, batch_size, progress
        )
    relevant = image_index[None] == np.arange(len(images))[:, None]
    image_ranks = best_ranks(by_image, relevant)
    text_ranks = best_ranks(by_text, relevant.T)
    samples = [
        {
            "image": os.path.basename(path),
            "image_to_text_rank": int(image_ranks[index]),
            "text_to_image_ranks": text_ranks[image_index == index].tolist(),
        }
        for index, path in enumerate(pairs.images)
    ]
    protocol = {
        "images": len(images),
        "captions": len(texts),
        "candidates": "all captions for an image, all images for a caption",
        "rank": "of the image's best caption; ties get the worst rank",
        "similarity": "cosine"
        if rerank is None
        else f"cosine; of the best {rerank} candidates, match logit plus cosine",
        "seeds": [],  # Embeddings are deterministic.
    }
    metrics = {
        **score_ranks(image_ranks, "image_to_text"),
        **score_ranks(text_ranks, "text_to_image"),
    }
    return EvaluationResult(metrics, protocol, samples, describe_table(protocol))


def _rerank(model, images, texts, similarities, count, batch_size, progress):
    """Returns the scores of all texts for each image, and of all images for each text."""
    selected = [np.zeros(x.shape, bool) for x in (similarities, similarities.T)]
    for chosen, cosines in zip(selected, (similarities, similarities.T), strict=True):
        best = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
        np.put_along_axis(chosen, best, True, axis=1)
    pairs = np.argwhere(selected[0] | selected[1].T)
    logits = compute_pair_logits(model, images, texts, pairs, batch_size, progress)
    scores = similarities.astype("float64")
    scores[tuple(pairs.T)] += logits[:, 1]
    last = scores.min() - 2.0  # Below every score of a pair; cosines are within [-1, 1].
    return (
        np.where(selected[0], scores, similarities + last),
        np.where(selected[1], scores.T, similarities.T + last),
    )


def describe_table(protocol):
    """Describes how retrieval scores are shown; see `EvaluationResult`."""
    directions = {"image_to_text": "Image to text R@1", "text_to_image": "Text to image R@1"}
    return {
        "metrics": {
            f"{direction}_recall_at_{k}": first if k == 1 else f"R@{k}"
            for direction, first in directions.items()
            for k in (1, 5, 10)
        },
        "settings": {},
        "summary": f"{protocol['images']:,} images with {protocol['captions']:,} captions; "
        f"candidates: {protocol['candidates']}",
    }
