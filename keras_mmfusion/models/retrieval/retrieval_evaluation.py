"""Retrieval scores of image-text models."""

import os

import numpy as np

from keras_mmfusion.metrics.retrieval import best_ranks, score_ranks
from keras_mmfusion.models.runs.evaluation_result import EvaluationResult


def evaluate_retrieval(model, pairs, batch_size=32, progress=iter):
    """Scores image-to-text and text-to-image retrieval over all images and captions.

    Args:
        model: `ContrastiveModel` of `"image"` and `"text"`, with a preprocessor.
        pairs: `CaptionPairs`.
        batch_size: int.
        progress: function that wraps the iterable of image paths, such as `tqdm.tqdm`.

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
    texts = model.embed("text", [text for each in captions for text in each], batch_size)
    similarities = images @ texts.T
    relevant = image_index[None] == np.arange(len(images))[:, None]
    image_ranks = best_ranks(similarities, relevant)
    text_ranks = best_ranks(similarities.T, relevant.T)
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
        "similarity": "cosine",
        "seeds": [],  # Embeddings are deterministic.
    }
    metrics = {
        **score_ranks(image_ranks, "image_to_text"),
        **score_ranks(text_ranks, "text_to_image"),
    }
    return EvaluationResult(metrics, protocol, samples, describe_table(protocol))


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
