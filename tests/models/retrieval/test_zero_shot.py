import keras
import numpy as np
import pytest
from models.retrieval.small_embedders import COLORS, make_images, small_embedder

from keras_mmfusion.layers import SharedSpaceProjector
from keras_mmfusion.losses import InfoNCELoss, SigLIPLoss, VICRegLoss
from keras_mmfusion.models import ContrastiveModel

LABELS = list(COLORS)
TEMPLATES = ["a {} square", "{} wall"]


@pytest.mark.parametrize("loss", [InfoNCELoss, SigLIPLoss])
def test_probabilities_are_those_of_the_loss(loss):
    model = small_embedder(loss(temperature=0.2))
    probabilities = model.classify(make_images(), LABELS, TEMPLATES)
    images = model.embed("image", make_images())
    texts = [template.replace("{}", label) for label in LABELS for template in TEMPLATES]
    vectors = model.embed("text", texts).reshape(len(LABELS), 2, -1).mean(axis=1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    logits = images @ vectors.T / 0.2
    if loss is InfoNCELoss:
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    else:
        expected = 1 / (1 + np.exp(10.0 - logits))

    assert probabilities.shape == (len(COLORS), len(LABELS))
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4)


def test_embedded_labels_and_one_image():
    model = small_embedder()
    vectors = model.embed_labels(LABELS, TEMPLATES[0], batch_size=4)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        model.classify(make_images()[0], vectors),
        model.classify(make_images()[:1], LABELS, TEMPLATES[0]),
        rtol=1e-5,
    )


def test_invalid_labels_and_templates_raise():
    model = small_embedder()
    with pytest.raises(ValueError, match="`labels` must be strings"):
        model.classify(make_images(), [1, 2])
    with pytest.raises(ValueError, match="`templates` must be strings that contain '{}'"):
        model.classify(make_images(), LABELS, "a photo")


def test_losses_without_probabilities_raise():
    with pytest.raises(ValueError, match="VICRegLoss defines no probabilities"):
        small_embedder(VICRegLoss()).classify(make_images(), LABELS, TEMPLATES)


def test_other_modalities_raise():
    model = ContrastiveModel(
        {"sound": keras.layers.Dense(4), "text": keras.layers.Embedding(50, 4)},
        projectors={name: SharedSpaceProjector(4, num_heads=1) for name in ("sound", "text")},
    )
    with pytest.raises(ValueError, match="needs a model with the modalities 'image' and 'text'"):
        model.classify(make_images(), LABELS)
