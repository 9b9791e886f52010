"""Training of image-text models on images and captions."""

import keras
import numpy as np
import pytest
from models.retrieval.small_embedders import SENTENCES, make_images, small_embedder
from PIL import Image

from keras_mmfusion.datasets import CaptionPairs
from keras_mmfusion.encoders.pillow_image_converter import PillowImageConverter
from keras_mmfusion.models.retrieval import RetrievalRecipe, evaluate_retrieval, train_retrieval


@pytest.fixture
def pairs(tmp_path):
    paths = []
    for index, image in enumerate(make_images()):
        paths.append(tmp_path / f"{index}.png")
        Image.fromarray(image).save(paths[-1])
    captions = [[sentence, sentence.upper()] for sentence in SENTENCES]
    captions[0].pop()
    return CaptionPairs(paths, captions)


def test_training_improves_retrieval(pairs):
    model = small_embedder()
    recipe = RetrievalRecipe(epochs=60, batch_size=6, learning_rate=0.01, augment=False)
    losses = []

    class Recorder(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            losses.append(logs["loss"])

    assert train_retrieval(recipe, pairs, model, [Recorder()]) is model
    assert len(losses) == 60 and losses[-1] < 0.5 * losses[0]
    result = evaluate_retrieval(model, pairs)
    assert result.metrics["image_to_text_recall_at_1"] == 1
    assert list(result.table["metrics"].values())[:2] == ["Image to text R@1", "R@5"]


def test_frozen_encoders_keep_their_weights(pairs):
    model = small_embedder()
    before = [np.array(weight) for weight in model.image_encoder.get_weights()]
    projector = [np.array(weight) for weight in model.image_projector.get_weights()]
    train_retrieval(RetrievalRecipe(epochs=1, batch_size=6, freeze_encoders=True), pairs, model)
    for weight, old in zip(model.image_encoder.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    changed = [
        not np.array_equal(*pair)
        for pair in zip(model.image_projector.get_weights(), projector, strict=True)
    ]
    assert any(changed)


@pytest.mark.parametrize("drop_alpha", [False, True])
def test_model_decides_whether_transparency_is_ignored(pairs, drop_alpha, monkeypatch):
    seen = []
    model = small_embedder()
    converter = PillowImageConverter((4, 4), drop_alpha=drop_alpha)
    model.preprocessor.image_converter = converter
    for path in pairs.images:
        Image.fromarray(np.full((4, 4, 4), (7, 8, 9, 0), "uint8")).save(path)
    monkeypatch.setattr(keras.Model, "fit", lambda model, batches, **_: seen.append(batches[0]))
    train_retrieval(RetrievalRecipe(batch_size=6, augment=False), pairs, model)
    ((inputs,),) = seen
    expected = [7, 8, 9] if drop_alpha else [255] * 3
    assert inputs["image"][0, 0, 0].tolist() == expected


def test_model_without_preprocessor_is_an_error(pairs):
    with pytest.raises(ValueError, match="needs a `RetrievalPreprocessor`"):
        train_retrieval(RetrievalRecipe(), pairs, small_embedder(preprocessor=False))


def test_invalid_settings_are_errors():
    with pytest.raises(ValueError, match="`batch_size` must be an integer of at least 2"):
        RetrievalRecipe(batch_size=1)
