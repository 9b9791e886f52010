"""Classifies images by the similarity of their embeddings to those of texts about labels."""

import keras
import numpy as np

from keras_mmfusion.models.retrieval.embedding import embed_batches, normalize_vectors

TEMPLATES = ("a photo of a {}.",)


def classify_images(model, images, labels, templates=TEMPLATES, batch_size=32):
    """Implements `ContrastiveModel.classify`."""
    for name in ("image", "text"):
        if name not in model.modalities:
            raise ValueError(
                f"`classify` needs a model with the modalities 'image' and 'text'. This model has: "
                f"{', '.join(map(repr, model.modalities))}"
            )
    if not hasattr(model.pair_loss, "match_probabilities"):
        raise ValueError(
            "`classify` needs a loss that defines probabilities, such as `InfoNCELoss` or "
            f"`SigLIPLoss`. Received: {model.pair_loss!r}"
        )
    label_vectors = labels
    if getattr(labels, "ndim", None) != 2:
        label_vectors = embed_labels(model, labels, templates, batch_size)
    image_vectors = embed_batches(model, "image", images, batch_size)
    similarities = keras.ops.convert_to_tensor(image_vectors @ label_vectors.T)
    probabilities = model.pair_loss.match_probabilities(similarities)
    return keras.ops.convert_to_numpy(probabilities)


def embed_labels(model, labels, templates=TEMPLATES, batch_size=32):
    """Implements `ContrastiveModel.embed_labels`."""
    labels = [labels] if isinstance(labels, str) else list(labels)
    templates = [templates] if isinstance(templates, str) else list(templates)
    if not labels or not all(isinstance(label, str) for label in labels):
        raise ValueError(f"`labels` must be strings. Received: {labels!r}")
    if not templates or not all(isinstance(t, str) and "{}" in t for t in templates):
        raise ValueError(
            f"`templates` must be strings that contain '{{}}', the position of the label. "
            f"Received: {templates!r}"
        )
    texts = [template.replace("{}", label) for label in labels for template in templates]
    vectors = embed_batches(model, "text", texts, batch_size)
    means = np.mean(vectors.reshape(len(labels), len(templates), -1), axis=1)
    return normalize_vectors(means)
