"""Captioners with graph convolutions over the image tokens."""

import keras
import numpy as np
import pytest
from layer_checks import to_numpy
from small_captioners import SIZE, color_images, small_captioner, small_encoder

from keras_mmfusion import Captioner, GraphCaptioner, ImageEncoder, TextDecoder
from keras_mmfusion.layers.graph import ImageGraph
from keras_mmfusion.models.captioning import CaptionerRecipe
from keras_mmfusion.models.captioning.decoding.step_functions import build_uncached_step

IMAGES = np.random.default_rng(0).uniform(-1, 1, (3, *SIZE, 3)).astype("float32")
CAPTIONS = np.array([[1, 5, 6, 7], [1, 8, 9, 2], [1, 4, 2, 0]])
on_tensorflow = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="SavedModels require TensorFlow."
)


@pytest.fixture(scope="module")
def model():
    model = small_captioner(GraphCaptioner)
    model.compile(jit_compile=False)  # XLA compilation would dominate the test time.
    return model


@pytest.fixture(scope="module")
def captions(model):
    return model.generate(color_images(), beams=2, details=True)


def test_logits_equal_the_composition_of_parts(model):
    tokens = keras.ops.reshape(model.image_encoder(IMAGES), (3, 4, 8))
    nodes = model.image_graph(tokens)
    expected = model.text_decoder(model.text_decoder.embedding(CAPTIONS), nodes)
    found = to_numpy(model(IMAGES, CAPTIONS))
    np.testing.assert_allclose(found, to_numpy(expected), atol=1e-5)
    assert np.abs(found - to_numpy(model.decode(tokens, CAPTIONS))).max() > 0.01


def test_cached_and_uncached_generation_agree(model, captions):
    assert len({each.text for each in captions}) > 1
    assert captions[0].attention.shape[1:] == (1, 4)
    other = model.with_image_encoder(model.image_encoder)
    other.compile(jit_compile=False)
    other._build_step = lambda tokens, *sizes: (build_uncached_step(other, tokens), ())
    texts = other.generate(color_images(), beams=2)
    assert texts == [each.text for each in captions]


def test_channels_first_feature_maps(model):
    expected = to_numpy(model(IMAGES, CAPTIONS))
    images = keras.Input((*SIZE, 3))
    transposed = keras.layers.Permute((3, 1, 2))(model.image_encoder(images))
    other = model.with_image_encoder(keras.Model(images, transposed))
    keras.config.set_image_data_format("channels_first")
    try:
        found = to_numpy(other(IMAGES, CAPTIONS))
    finally:
        keras.config.set_image_data_format("channels_last")
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_saved_models_give_the_same_logits(model, tmp_path):
    expected = to_numpy(model(IMAGES, CAPTIONS))
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset")
    for loaded in (
        keras.saving.load_model(tmp_path / "model.keras"),
        Captioner.from_preset(tmp_path / "preset"),
    ):
        assert type(loaded) is GraphCaptioner
        np.testing.assert_allclose(to_numpy(loaded(IMAGES, CAPTIONS)), expected, atol=1e-5)


@on_tensorflow
def test_exported_graph_captioner(model, captions, tmp_path):
    import tensorflow as tf

    loaded = tf.saved_model.load(model.export(tmp_path, beams=2))
    pixels = tf.constant(np.stack(color_images()).astype("float32"))
    found = loaded.signatures["caption_pixels"](images=pixels)["captions"].numpy()
    assert [each.decode() for each in found] == [each.text for each in captions]


def test_every_weight_of_the_image_graph_is_trained():
    model = small_captioner(GraphCaptioner)
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    before = [to_numpy(weight) for weight in model.image_graph.trainable_weights]
    x = {"images": IMAGES, "captions": CAPTIONS}
    model.train_on_batch(x, CAPTIONS)
    for weight, old in zip(model.image_graph.trainable_weights, before, strict=True):
        assert np.any(to_numpy(weight) != old), weight.path
        assert np.isfinite(to_numpy(weight)).all()


def test_recipe_creates_graph_captioner_on_feature_maps():
    recipe = CaptionerRecipe(
        dim=8, num_layers=1, num_heads=2, sequence_length=8, min_count=1, graph_layers=1
    )
    encoder = ImageEncoder(image_size=(64, 96))
    captioner = recipe.build_captioner(encoder, ["one two three four five six"])
    assert type(captioner) is GraphCaptioner and captioner.image_graph.grid == (2, 3)
    assert captioner.image_graph.num_layers == 1
    lower, _ = captioner.image_encoder.split(recipe.fine_tune_blocks)
    on_features = recipe._on_features(captioner, recipe.fine_tune_blocks)
    assert on_features.image_graph is captioner.image_graph
    images = np.random.default_rng(0).uniform(-1, 1, (2, 64, 96, 3)).astype("float32")
    found = on_features(lower(images), CAPTIONS[:2])
    expected = to_numpy(captioner(images, CAPTIONS[:2]))
    np.testing.assert_allclose(to_numpy(found), expected, atol=1e-4)


def test_custom_image_graph_and_invalid_decoder():
    graph = ImageGraph(6, num_layers=1, neighbors=0, grid=(1, 4))
    model = small_captioner(GraphCaptioner, image_graph=graph)
    assert tuple(model.encode(IMAGES).shape) == (3, 4, 6)
    with pytest.raises(ValueError, match="`text_decoder` must attend to the image"):
        GraphCaptioner(small_encoder(), TextDecoder(9, dim=8, num_layers=1, num_heads=2))
