"""How well photos and their captions find each other, over a whole split."""

import os

import numpy as np

from keras_mmfusion.metrics.retrieval import best_ranks, score_ranks


def evaluate_retrieval(model, pairs, batch_size=32, progress=iter):
    """Scores a model of images and texts: each image among all captions, and the other way.

    Args:
        model: `ContrastiveModel` of `"image"` and `"text"` with a preprocessor.
        pairs: `CaptionPairs`.
        batch_size: int.
        progress: function that passes on the images' paths, such as `tqdm.tqdm`.

    Returns:
        A dict: `"metrics"`, those of `retrieval_scores`; `"protocol"`, how they were made;
        `"samples"`, for each image a dict of `"image"` (the file's name), `"image_to_text_rank"`
        and `"text_to_image_ranks"`, one a caption. The captions are left out, so that results may
        be published where the data may not.

    Raises:
        ValueError: if an image cannot be read.
    """
    captions = [[text for text in texts if text.strip()] for texts in pairs.captions]
    owners = np.repeat(np.arange(len(captions)), [len(texts) for texts in captions])
    images = model.embed("image", progress(pairs.images), batch_size)
    texts = model.embed("text", [text for each in captions for text in each], batch_size)
    similarities = images @ texts.T
    relevant = owners[None] == np.arange(len(images))[:, None]
    image_ranks = best_ranks(similarities, relevant)
    text_ranks = best_ranks(similarities.T, relevant.T)
    samples = [
        {
            "image": os.path.basename(path),
            "image_to_text_rank": int(image_ranks[number]),
            "text_to_image_ranks": text_ranks[owners == number].tolist(),
        }
        for number, path in enumerate(pairs.images)
    ]
    protocol = {
        "images": len(images),
        "captions": len(texts),
        "candidates": "all captions for an image, all images for a caption",
        "rank": "of the image's best caption; of equal scores the worst",
        "similarity": "cosine",
        "seeds": [],  # Nothing is drawn.
    }
    metrics = {
        **score_ranks(image_ranks, "image_to_text"),
        **score_ranks(text_ranks, "text_to_image"),
    }
    return {"metrics": metrics, "protocol": protocol, "samples": samples}
