import dataclasses
import inspect

import keras
import keras_hub
import numpy as np
import pytest
from keras import ops
from layer_checks import to_numpy
from small_captioners import (
    SIZE,
    color_images,
    enlarge,
    small_captioner,
    small_encoder,
    small_preprocessor,
)

from keras_mmfusion import (
    Captioner,
    CrossModalAttention,
    ImageCaptioningModel,
    ImageEncoder,
    TextDecoder,
    TransformerCaptioner,
)
from keras_mmfusion.models import BackboneTextDecoder
from keras_mmfusion.models.captioning import DecodingSettings

IMAGES = np.random.default_rng(0).uniform(-1, 1, (3, *SIZE, 3)).astype("float32")
CAPTIONS = np.array([[1, 5, 6, 7], [1, 8, 9, 2], [1, 4, 2, 0]])
BOTH = pytest.mark.parametrize("cls", [ImageCaptioningModel, TransformerCaptioner])


def test_logits_equal_the_documented_formula():
    image_encoder = ImageEncoder()
    text_decoder = TextDecoder()
    cross_modal_attention = CrossModalAttention()
    model = ImageCaptioningModel(image_encoder, text_decoder, cross_modal_attention)
    images = np.zeros((1, *image_encoder.image_size, 3), "float32")
    captions = np.array([[1, 4, 5, 6, 2]])
    caption_embeddings = text_decoder.embedding(captions)
    image_features = image_encoder(images)
    attended = cross_modal_attention(caption_embeddings, image_features, image_features)
    expected = text_decoder(caption_embeddings + attended)
    decoder_outputs = model(images, captions)
    assert decoder_outputs.shape == (1, 5, 10_000)
    np.testing.assert_allclose(to_numpy(decoder_outputs), to_numpy(expected), atol=1e-4)


@keras.saving.register_keras_serializable(package="tests")
class Patches(keras.layers.Layer):
    """An image encoder without a known input shape."""

    def build(self, images_shape):
        self.kernel = self.add_weight(shape=(16 * 16 * 3, 8), name="kernel")

    def call(self, images):
        patches = ops.reshape(images, (-1, 4, 16 * 16 * 3))
        return ops.matmul(patches, self.kernel)


@keras.saving.register_keras_serializable(package="tests")
class MeanOfImage(keras.layers.Layer):
    """Uniform attention."""

    def build(self, query_shape, value_shape, key_shape=None):
        self.kernel = self.add_weight(shape=(value_shape[-1], query_shape[-1]), name="kernel")

    def call(self, query, value, key=None):
        return ops.zeros_like(query) + ops.mean(value, axis=1, keepdims=True) @ self.kernel


@keras.saving.register_keras_serializable(package="tests")
class GatedDecoder(keras.layers.Layer):
    """A recurrent decoder."""

    def __init__(self, vocabulary_size, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding = keras.layers.Embedding(vocabulary_size, 8)
        self.recurrent = keras.layers.GRU(8, return_sequences=True)
        self.output_dense = keras.layers.Dense(vocabulary_size)

    def build(self, x_shape):
        self.recurrent.build(x_shape)
        self.output_dense.build((None, None, 8))

    def call(self, x):
        return self.output_dense(self.recurrent(x))

    def get_config(self):
        return {**super().get_config(), "vocabulary_size": self.vocabulary_size}


def resnet():
    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64],
        stackwise_num_blocks=[1],
        stackwise_num_strides=[1],
        block_type="basic_block",
    )


def vision_transformer():
    return keras_hub.models.ViTBackbone(
        image_shape=(*SIZE, 3),
        patch_size=16,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        mlp_dim=8,
    )


def gpt2(vocabulary_size):
    return keras_hub.models.GPT2Backbone(
        vocabulary_size=vocabulary_size,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=8,
        max_sequence_length=8,
    )


PARTS = {
    "own encoder": ("image_encoder", Patches),
    "resnet": ("image_encoder", resnet),
    "vision transformer": ("image_encoder", vision_transformer),
    "own attention": ("cross_modal_attention", MeanOfImage),
    "keras attention": ("cross_modal_attention", lambda: keras.layers.MultiHeadAttention(2, 4)),
    "own decoder": (
        "text_decoder",
        lambda: GatedDecoder(small_preprocessor().tokenizer.vocabulary_size()),
    ),
    "gpt2": (
        "text_decoder",
        lambda: BackboneTextDecoder(gpt2(small_preprocessor().tokenizer.vocabulary_size())),
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_custom_parts_train_save_and_generate(name, tmp_path):
    part, make = PARTS[name]
    model = small_captioner(ImageCaptioningModel, **{part: make()})
    x = {"images": IMAGES, "captions": CAPTIONS}
    logits = to_numpy(model(IMAGES, CAPTIONS))
    assert logits.shape == (3, 4, model.preprocessor.tokenizer.vocabulary_size())
    expected = model.generate(color_images(), beams=2)
    assert all(expected)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(to_numpy(loaded(IMAGES, CAPTIONS)), logits, atol=1e-5)
    assert loaded.generate(color_images(), beams=2) == expected
    before = [np.array(weight) for weight in getattr(model, part).get_weights()]
    model.compile(keras.optimizers.SGD(0.1))
    model.fit(x, np.roll(CAPTIONS, -1, axis=1), verbose=0)
    after = getattr(model, part).get_weights()
    assert any(np.any(one != other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("name", ["resnet", "gpt2"])
def test_models_with_backbones_save_to_presets(name, tmp_path):
    part, make = PARTS[name]
    model = small_captioner(ImageCaptioningModel, **{part: make()})
    expected = model.generate(color_images(), beams=2)
    model.save_to_preset(tmp_path / "preset")
    loaded = Captioner.from_preset(tmp_path / "preset")
    assert loaded.generate(color_images(), beams=2) == expected


@pytest.mark.parametrize("backbone", [lambda: None, resnet, lambda: keras.layers.Embedding(4, 2)])
def test_invalid_backbones_raise_errors(backbone):
    with pytest.raises(ValueError, match="`backbone` must be a functional KerasHub backbone"):
        BackboneTextDecoder(backbone())


def test_backbone_decoder_is_causal():
    decoder = BackboneTextDecoder(gpt2(20))
    enlarge(decoder)
    ids = np.array([[1, 5, 6, 7]])
    expected = to_numpy(decoder(decoder.embedding(ids)))
    found = to_numpy(decoder(decoder.embedding(np.array([[1, 5, 8, 9]]))))
    np.testing.assert_allclose(found[:, :2], expected[:, :2], atol=1e-5)
    assert np.abs(found[:, 2:] - expected[:, 2:]).max() > 1e-3


def test_backbone_decoder_matches_backbone():
    backbone = gpt2(20)
    ids = np.array([[1, 5, 6, 7]])
    hidden = backbone({"token_ids": ids, "padding_mask": np.ones_like(ids)})
    expected = backbone.token_embedding(hidden, reverse=True)
    decoder = BackboneTextDecoder(backbone)
    found = decoder(decoder.embedding(ids))
    np.testing.assert_allclose(to_numpy(found), to_numpy(expected), atol=1e-6)


@BOTH
def test_several_captions_per_image_equal_separate_captions(cls):
    model = small_captioner(cls)
    captions = np.stack([CAPTIONS, CAPTIONS[::-1]], axis=1)
    together = to_numpy(model(IMAGES, captions))
    assert together.shape[:3] == (3, 2, 4)
    for index in range(2):
        separate = to_numpy(model(IMAGES, captions[:, index]))
        np.testing.assert_allclose(together[:, index], separate, atol=1e-4)


@BOTH
def test_image_tokens_replace_images(cls):
    model = small_captioner(cls)
    tokens = model.encode(IMAGES)
    assert tuple(tokens.shape) == (3, 4, 8)
    found = model({"image_tokens": tokens, "captions": CAPTIONS})
    expected = model({"images": IMAGES, "captions": CAPTIONS})
    np.testing.assert_allclose(to_numpy(found), to_numpy(expected), atol=1e-5)


@BOTH
def test_all_weights_exist_after_construction(cls):
    model = small_captioner(cls)
    before = len(model.weights)
    model(IMAGES, CAPTIONS)
    assert len(model.weights) == before > 0


@BOTH
@pytest.mark.parametrize("file_format", ["keras", "preset"])
def test_saved_models_generate_the_same_captions(cls, file_format, tmp_path):
    model = small_captioner(cls)
    expected = model.generate(color_images(), details=True)
    if file_format == "keras":
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
    else:
        model.save_to_preset(tmp_path / "preset")
        loaded = Captioner.from_preset(tmp_path / "preset")
    assert type(loaded) is cls
    found = loaded.generate(color_images(), details=True)
    assert [caption.text for caption in found] == [caption.text for caption in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.token_log_probs, other.token_log_probs, atol=1e-5)


def test_optimizer_state_is_restored(tmp_path):
    model = small_captioner()
    # Momentum instead of Adam, which amplifies rounding errors of gradients that are zero, such as
    # those of the key biases.
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(True))
    x, y = {"images": IMAGES, "captions": CAPTIONS}, np.roll(CAPTIONS, -1, axis=1)
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer, keras.optimizers.SGD)
    assert float(loaded.optimizer.learning_rate) == pytest.approx(0.05)
    assert int(loaded.optimizer.iterations) == 1
    model.fit(x, y, verbose=0)
    loaded.fit(x, y, verbose=0)
    for one, other in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_model_without_preprocessor():
    model = small_captioner(preprocessor=None)
    assert model(IMAGES, CAPTIONS).shape[:2] == (3, 4)
    with pytest.raises(ValueError, match="`generate` requires a preprocessor"):
        model.generate(color_images())


def test_missing_captions_raise_an_error():
    with pytest.raises(ValueError, match="`captions` is missing"):
        small_captioner()(IMAGES)


def test_invalid_decoders_raise_errors():
    with pytest.raises(ValueError, match="`text_decoder` must have an `embedding` layer"):
        ImageCaptioningModel(small_encoder(), keras.layers.Dense(4), CrossModalAttention())
    with pytest.raises(ValueError, match="`text_decoder` must attend to the image"):
        TransformerCaptioner(small_encoder(), TextDecoder(20, dim=8, num_heads=2))


@BOTH
@pytest.mark.parametrize("name", ["generate", "export", "compile"])
def test_signatures_are_explicit(cls, name):
    kinds = {each.kind for each in inspect.signature(getattr(cls, name)).parameters.values()}
    assert kinds == {inspect.Parameter.POSITIONAL_OR_KEYWORD}


def test_signature_of_generate_lists_all_decoding_arguments():
    arguments = list(inspect.signature(TransformerCaptioner.generate).parameters)
    assert arguments[:4] == ["self", "images", "prompt", "beams"]
    assert len(arguments) == 16
    settings = {field.name for field in dataclasses.fields(DecodingSettings)}
    assert settings - {"samples"} <= set(arguments)


def test_from_preset_of_another_class_raises_an_error(tmp_path):
    small_captioner().save_to_preset(tmp_path / "preset")
    with pytest.raises(ValueError, match="Use `TransformerCaptioner.from_preset`"):
        ImageCaptioningModel.from_preset(tmp_path / "preset")
